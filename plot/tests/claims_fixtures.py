"""Claims and made-up rows of which it is known whether they bear them out."""

import os
import tempfile

import plot_path
import claim
import fixtures
import rows
import verdict
from rows import Results

HEAD = ",".join(claim.COLUMNS)
LESS = "B%d,one is less,paper full,a / b,elapsed_ms,table2,section=%s scheme=chain,less,," \
    "section=%s scheme=ring,%s,1/2,Table 2"


def folder(made, **machine):
    """Results as load() gives them, without the disk."""
    run = dict(fixtures.RUN, machine=dict(fixtures.RUN["machine"], **machine))
    for one in made:
        assert rows.wrong_row(one) is None, rows.wrong_row(one)
    return Results("made-up", made, run, [])


def runs(times, **keys):
    """Rows of one cell of Table 2 with these times."""
    made = []
    for repeat, time in enumerate(times, 1):
        base = dict(scenario="table2", section="s", scheme="chain", servers=30, connected=30,
                    repeat=repeat, elapsed_ms=time)
        base.update(keys)
        base.setdefault("cell", "scheme=%s" % base["scheme"])
        made.append(fixtures.row(**base))
    return made


def parsed(*lines):
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "claims.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join((HEAD,) + lines) + "\n")
        return claim.load(path)


def judged(made, *lines, cpus=2):
    return verdict.judge(folder(made), parsed(*lines), cpus)


def one_verdict(chain, ring, line=LESS % (1, "s", "s", "0.02")):
    return judged(runs(chain) + runs(ring, scheme="ring"), line)[0]


LOW, HIGH = [10.0, 10.1, 10.2, 10.3, 10.4], [12.0, 12.1, 12.2, 12.3, 12.4]
