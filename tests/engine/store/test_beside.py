"""A database's file, and those beside it: for whoever may write to it, and nobody else."""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tactful.engine.running import CannotLock, only_one
from tactful.engine.store.database import open_store


def rights(file: Path) -> str:
    return stat.filemode(file.stat().st_mode)


def test_a_new_file_is_for_its_user_alone_and_all_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    before = os.umask(0)
    try:
        with closing(open_store(f"sqlite:///{file}")) as store, only_one(file):
            store.lay_out()
            with store.write() as tx:
                tx.exec_driver_sql("DELETE FROM contact")
            assert {each.name: rights(each) for each in tmp_path.iterdir()} == dict.fromkeys(
                ("shop.db", "shop.db-wal", "shop.db-shm", "shop.db-line", "shop.db.lock"), "-rw-------"
            )
    finally:
        os.umask(before)


def test_a_file_that_was_opened_to_a_group_stays_so_and_the_lock_follows_it(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    with closing(open_store(f"sqlite:///{file}")) as store:
        store.lay_out()
    file.chmod(0o660)
    with closing(open_store(f"sqlite:///{file}")) as store, only_one(file):
        store.lay_out()
        assert rights(file) == rights(tmp_path / "shop.db.lock") == "-rw-rw----"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to others")
def test_a_lock_that_root_made_is_its_databases_users_and_one_that_is_not_is_named() -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "shop.db")
        file.touch()
        os.chown(file, 65_534, 65_534)
        os.chown(folder, 65_534, 65_534)
        with only_one(file):
            assert file.with_name("shop.db.lock").stat().st_uid == 65_534
        os.chown(file.with_name("shop.db.lock"), 0, 0)
        os.seteuid(65_534)
        try:
            with pytest.raises(CannotLock, match=r"may not open .*/shop\.db\.lock, which another one made; delete it"):
                only_one(file).__enter__()
        finally:
            os.seteuid(0)
