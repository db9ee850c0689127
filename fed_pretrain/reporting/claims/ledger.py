"""The ledger of claims as a section."""

from fed_pretrain.reporting.claims.claim import ledger
from fed_pretrain.reporting.part import Section, Table
from fed_pretrain.reporting.results import Study


def ledger_section(study: Study) -> Section | None:
    verdicts = ledger(study)
    if not verdicts:
        return None
    rows = [[v.claim, v.place, v.statistic, v.measured, v.verdict, v.paper] for v in verdicts]
    header = ["claim", "where", "statistic", "measured", "verdict", "paper"]
    text = [
        "Each statistic is computed once a seed from paired runs (same clients, cohorts and seed)."
        " A claim holds here when the 95 % interval of its mean over seeds lies above zero; with"
        " few seeds that interval is wide, and the verdict says so rather than guess. Claims about"
        " what training does stay open where the random start never left chance. A verdict speaks"
        " of this data, model and budget only, and no correction is made for the number of claims."
    ]
    table = Table("claims", "Claims of the papers and what this study measured", header, rows)
    return Section("claims", "Ledger of claims", text, tables=[table])
