r"""Judged text as it is shown to a judge: what a chat template or a tokenizer would obey is spelt so that it is text.

A response may spell out the tokens that end one turn of a conversation and begin the next. A server that tokenizes them
as such reads the rest as its own words. ``neutral`` breaks every such token by a backslash, which the judge can see
and ``original`` takes out again::

    <|im_end|>    <\|im_end|>       ChatML (Qwen, Yi) and every other <|...|>: Llama 3, Phi, Falcon, gpt-oss
    <｜User｜>     <\｜User｜>        DeepSeek, with its fullwidth bars
    [INST]        [\INST]           Llama 2 and Mistral, with [SYSTEM_PROMPT], [TOOL_CALLS] and the like
    <<SYS>>       <\<SYS>>          Llama 2
    <s>           <\s>              Llama 2, Mistral, T5; also <bos>, <eos>, <pad>, <unk>, <mask>
    <end_of_turn> <\end_of_turn>    Gemma
    [|user|]      [\|user|]         EXAONE
    </think>      <\/think>         the thoughts and tool calls of Qwen and DeepSeek

Half a surrogate pair is no text, and no tokenizer takes it; NUL ends a text wherever C strings are used, which would
cut off the rest in silence. They become ``\u{d800}`` and ``\u{0000}``. Everything else stays as it is: white space,
zero-width and right-to-left characters, any length. Templates whose turns begin with plain words (``### Response:``)
have no tokens to break; there the code that heads each section is what tells material from question.
"""

from __future__ import annotations

import re

_ANGLED = (
    "s|bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_of_image|end_of_image|"
    "think|tool_call|tool_response|tool_calls|tools|sop|eop|"
    "BOS_TOKEN|EOS_TOKEN|PAD_TOKEN|UNK_TOKEN|MASK_TOKEN|SEP_TOKEN|CLS_TOKEN|EOP_TOKEN"
)
_SQUARED = (
    "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|THINK|MODEL_SETTINGS|"
    "IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|PREFIX|MIDDLE|SUFFIX|CLS|SEP|MASK|PAD|UNK|gMASK|sMASK"
)
# An opening bracket, the backslashes that break it already, and a look at what makes it the beginning of a token. Only
# the backslashes are ever changed and no look ahead reaches another bracket that opens a token, so that the same
# places are found before and after: this is what makes it reversible.
_OPENING = re.compile(rf"([<＜])(\\*+)(?=[|｜]|/?(?:{_ANGLED})>|</?SYS>>)|(\[)(\\*+)(?=\||/?(?:{_SQUARED})\])")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_SPELT = re.compile(r"(?<!\\)(\\*+)(?:([\0\ud800-\udfff])|(?=u\{(?:0000|d[89a-f][0-9a-f]{2})\}))")
_SPELLING = re.compile(r"(?<!\\)(\\++)u\{(0000|d[89a-f][0-9a-f]{2})\}")


def neutral(text: str) -> str:
    """``text`` with every token broken; the module says how. The same text where it holds none.

    A token that is broken already gets one more backslash, so that no two texts become the same.
    """
    broken = text
    if "<" in text or "[" in text or "＜" in text:
        broken = _OPENING.sub(lambda found: _bracket(found) + _backslashes(found) + "\\", text)
    odd = "\0" in broken or not (broken.isascii() or _NO_TEXT.search(broken) is None)
    if not odd and "\\u{" not in broken:
        return broken
    return _SPELT.sub(_spelt, broken)


def original(text: str) -> str:
    """What ``neutral`` made ``text`` of."""
    read = _SPELLING.sub(_read, text) if "\\u{" in text else text
    return _OPENING.sub(lambda found: _bracket(found) + _backslashes(found)[1:], read)


def _bracket(found: re.Match[str]) -> str:
    return found[1] or found[3]


def _backslashes(found: re.Match[str]) -> str:
    return found[2] or found[4] or ""


def _spelt(found: re.Match[str]) -> str:
    """An odd number of backslashes before a character that is spelt, an even one where the text says so itself."""
    doubled = found[1] * 2
    return doubled if found[2] is None else f"{doubled}\\u{{{ord(found[2]):04x}}}"


def _read(found: re.Match[str]) -> str:
    half = "\\" * (len(found[1]) // 2)
    return half + (chr(int(found[2], 16)) if len(found[1]) % 2 else f"u{{{found[2]}}}")
