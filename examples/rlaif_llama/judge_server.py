"""A judge in place of the APIs: a server on this machine that speaks as Anthropic and OpenAI do, and answers by a rule.

    python examples/rlaif_llama/judge_server.py                                   # until Ctrl-C, an hour at most
    python examples/rlaif_llama/judge_server.py -- solon compare RECIPE --set tiny   # for as long as a command runs

``village/verdicts.py`` has the rule.
"""

from __future__ import annotations

from village.verdicts import QUALITIES

from solon.testing.judge_server import command_line

if __name__ == "__main__":
    command_line(QUALITIES)()
