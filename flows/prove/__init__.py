"""What holds on every path of a flow.

    for proof in prove(flow): print(proof.verdict, proof.says)

Each proof is a module, pure, and walks the graph of the flow's ways once or a few times: the work grows with the size
of the flow, however many paths there are. What is claimed holds of every journey; where the options of the elements do
not say enough, the answer is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from tactful.flows.model import LONE, Flow, Surroundings
from tactful.flows.prove.blocked import prove_blocked
from tactful.flows.prove.endings import prove_endings
from tactful.flows.prove.opt_outs import OptOutWords, prove_opt_outs
from tactful.flows.prove.proof import Proof, Stop, Verdict, Word
from tactful.flows.prove.rate import prove_rate
from tactful.flows.prove.times import prove_time
from tactful.flows.prove.totals import prove_total
from tactful.flows.prove.ways import Ways

CLAIMS: Mapping[Word, str] = MappingProxyType(
    {
        "opt-out": "Every path offers an opt-out before its third marketing message.",
        "blocked": "No path sends on a channel after blocking it.",
        "end": "Every path ends or waits.",
        "time": "Every journey is over after some time.",
        "day": "No journey sends more than so many messages in 24 hours.",
        "all": "No journey sends more than so many messages in all.",
    }
)
"""What is proved, by its word, in the order it is told."""


def prove(
    flow: Flow,
    around: Surroundings = LONE,
    opt_out_words: OptOutWords | None = None,
    without: Collection[str] = (),
) -> tuple[Proof, ...]:
    """All proofs about a flow, in the order of `CLAIMS`, `without` some of them.

    `opt_out_words` are the words that opt out, for each sender that takes replies; None where no project says them.
    """
    ways = Ways(flow, around)
    proofs: Mapping[Word, Callable[[], Proof]] = {
        "opt-out": lambda: prove_opt_outs(ways, opt_out_words),
        "blocked": lambda: prove_blocked(ways),
        "end": lambda: prove_endings(ways),
        "time": lambda: prove_time(ways),
        "day": lambda: prove_rate(ways),
        "all": lambda: prove_total(ways),
    }
    return tuple(ask() for word, ask in proofs.items() if word not in without)


__all__ = ["CLAIMS", "OptOutWords", "Proof", "Stop", "Verdict", "Word", "prove"]
