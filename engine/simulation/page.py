"""stub"""
def page(reports, guessed): return ""
