"""The judges: tiny Llamas that read a principle and two responses, and say A or B.

They are asked exactly as solon asks, and learn from comparisons whose verdict a rule gives. What they see is the principle's
text, the prompt and the responses; never the rule and never the right answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from transformers import DynamicCache, LlamaForCausalLM, PreTrainedTokenizerFast

from make.principles import MEANINGS, Rule, draw
from make.responses import KINDS, form_of, spoil, write_as
from make.world import Ask
from solon.data.records import Completion, Message, Principle, Prompt, Question
from solon.labelers.prompt import pairwise_messages


@dataclass(frozen=True)
class Comparison:
    """Two responses to a prompt under a principle, with P(the first follows it better): 1, 0, or 0.5 for no difference."""

    prompt: str
    rule: Rule
    first: str
    second: str
    label: float

    def messages(self) -> tuple[Message, ...]:
        """The conversation in which solon asks for this verdict."""
        principle = Principle(id="principle", text=self.rule.text)
        options = tuple(Completion(text=text, model="policy") for text in (self.first, self.second))
        return pairwise_messages(Question(prompt=Prompt.of(self.prompt), principles=(principle,), options=options))


@dataclass(frozen=True)
class Sampled:
    """A prompt with responses that the policy gave to it."""

    ask: Ask
    responses: tuple[str, ...]


def compare(rule: Rule, prompt: str, first: str, second: str) -> Comparison:
    """The comparison that the rule decides."""
    gap = rule.score(form_of(first)) - rule.score(form_of(second))
    return Comparison(prompt, rule, first, second, 0.5 if gap == 0 else float(gap > 0))


def draw_pair(rule: Rule, sampled: Sampled, random: Random, *, written: float = 0.5, ties: float = 0.2) -> Comparison:
    """A comparison of two responses to this prompt.

    Half of the responses come from the policy, the others are written to show every kind and flaw evenly. Pairs without
    a difference are kept to a fifth where there are others.
    """
    fact = sampled.ask.fact
    options = list(sampled.responses)
    if random.random() < written:
        options += [write_as(kind, fact, random) for kind in KINDS]
        options += [spoil(random.choice(options), random) for _ in range(3)]
    first, second = random.sample(options, 2)
    if random.random() >= ties:
        score = rule.score(form_of(first))
        others = [option for option in options if rule.score(form_of(option)) != score]
        if others:
            second = random.choice(others)
            first = random.choice([option for option in options if rule.score(form_of(option)) == score])
    if random.random() < 0.5:
        first, second = second, first
    return compare(rule, sampled.ask.text, first, second)


def train(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    pool: Sequence[Sampled],
    *,
    seed: int,
    steps: int,
    rate: float,
    principles: int = 12,
    pairs: int = 8,
    aux: float = 1.0,
) -> LlamaForCausalLM:
    """Teaches the model to judge: AdamW, cosine schedule, cross-entropy of the next token against the letter.

    A step takes some principles with some pairs each; the system message is read once for all pairs of its principle.
    """
    torch.manual_seed(seed)
    random = Random(f"judge:{seed}")
    import os
    H=model.config.hidden_size
    probes=torch.nn.ModuleDict({'follow':torch.nn.Linear(H,1),'attr':torch.nn.Linear(H,10),'mean':torch.nn.Linear(H,len(MEANINGS))})
    NL=model.config.num_hidden_layers; FEAT=(max(1,NL-2),max(1,NL-2))
    hid=[p for n,p in model.named_parameters() if p.ndim==2 and 'embed' not in n]; oth=[p for n,p in model.named_parameters() if not(p.ndim==2 and 'embed' not in n)]+list(probes.parameters())
    mu=float(os.environ.get('MUON','0'))
    if mu:
        opts=[torch.optim.Muon(hid,lr=mu,weight_decay=0.01,nesterov=True,momentum=.95), torch.optim.AdamW(oth,lr=rate,weight_decay=0.0,betas=(.9,.98))]
    else:
        opts=[torch.optim.AdamW(hid+oth, lr=rate, weight_decay=0.01, betas=(0.9, 0.98))]
    import math
    shape=lambda t: min(1,(t+1)/30)*(0.02+.98*.5*(1+math.cos(math.pi*t/steps)))
    scheds=[torch.optim.lr_scheduler.LambdaLR(o,shape) for o in opts]
    letters = letter_ids(tokenizer)
    model.train()
    running = 0.0
    for step in range(steps):
        rules = [draw(random) for _ in range(principles)]
        batch = [[draw_pair(rule, random.choice(pool), random) for _ in range(pairs)] for rule in rules]
        logits, sys_end, spots = _logits(model, tokenizer, batch, full=True)
        cs = [c for g in batch for c in g]
        labels = torch.tensor([c.label for c in cs])
        log_p = torch.log_softmax(logits, dim=-1)
        final = -(labels * log_p[:, letters[0]] + (1 - labels) * log_p[:, letters[1]]).mean()
        follows = torch.tensor([[float(c.rule.score(form_of(t))) for t in (c.first, c.second)] for c in cs])
        attrs = torch.tensor([[attributes(t) for t in (c.first, c.second)] for c in cs])
        means = torch.tensor([MEANINGS.index(r.meaning) for r in rules])
        bce = torch.nn.functional.binary_cross_entropy_with_logits
        L_f, L_m = FEAT
        side = bce(probes['follow'](spots[-2])[..., 0], follows)
        feat = bce(probes['attr'](spots[L_f]), attrs)
        mean = torch.nn.functional.cross_entropy(probes['mean'](sys_end[L_m]), means)
        loss = final + aux * (side + feat + 0.5*mean)
        model.zero_grad(); probes.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in opts: o.step()
        for o in scheds: o.step()
        running = (final.item()) if not step else 0.97 * running + 0.03 * final.item(); t=torch.stack([side,feat,mean]).detach(); side_r = t if not step else .97*side_r+.03*t
        if step % 100 == 0 or step == steps - 1:
            print(f"  judge step {step}: loss {running:.3f} follow/attr/mean {[round(x,3) for x in side_r.tolist()]}", flush=True)
    return model.eval()


def letter_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The tokens of the two verdicts."""
    return [tokenizer.convert_tokens_to_ids(letter) for letter in ("A", "B", "Y", "N")]


@torch.inference_mode()
def verdicts(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, comparisons: Sequence[Comparison], *, batch: int = 128
) -> list[float]:
    """P(A) against B for each comparison; those that follow each other under one principle share its system message."""
    letters = letter_ids(tokenizer)
    given: list[float] = []
    for group in _runs(comparisons, batch):
        logits = _logits(model, tokenizer, [group])[:, letters[:2]]
        given += torch.softmax(logits, dim=-1)[:, 0].tolist()
    return given


def _runs(comparisons: Sequence[Comparison], most: int) -> Iterator[list[Comparison]]:
    group: list[Comparison] = []
    for comparison in comparisons:
        if group and (comparison.rule.text != group[0].rule.text or len(group) == most):
            yield group
            group = []
        group.append(comparison)
    if group:
        yield group


def _logits(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, groups: Sequence[Sequence[Comparison]], full=False
) -> torch.Tensor:
    """The scores of the next token, [comparisons, 3, vocabulary]: behind the first response, behind the second, and the reply.

    Groups are of one size, and each is of one principle.
    """
    chats = [[_render(tokenizer, comparison.messages()) for comparison in group] for group in groups]
    heads = [group[0][: group[0].index("<|user|>")] for group in chats]
    tails = [chat[len(head) :] for head, group in zip(heads, chats, strict=True) for chat in group]
    head = tokenizer(heads, return_tensors="pt", padding=True, padding_side="right")
    tail = tokenizer(tails, return_tensors="pt", padding=True, padding_side="right")
    size = len(chats[0])
    cache = DynamicCache(config=model.config)
    head_out = model.model(input_ids=head.input_ids, attention_mask=head.attention_mask, past_key_values=cache, use_cache=True, output_hidden_states=True)
    sys_end=[h[torch.arange(len(heads)), head.attention_mask.sum(1)-1] for h in head_out.hidden_states]
    cache.batch_repeat_interleave(size)
    starts = head.attention_mask.sum(1).repeat_interleave(size)
    out = model.model(
        input_ids=tail.input_ids,
        attention_mask=torch.cat([head.attention_mask.repeat_interleave(size, 0), tail.attention_mask], dim=1),
        position_ids=starts[:, None] + torch.arange(tail.input_ids.shape[1]),
        past_key_values=cache,
        use_cache=True,
        output_hidden_states=True,
    )
    hidden=out.last_hidden_state
    spots = torch.tensor([
        [tail.char_to_token(row, text.rindex(" B]\n") + 2), tail.char_to_token(row, text.rindex(" end]\n") + 4), 0]
        for row, text in enumerate(tails)
    ])
    spots[:, 2] = tail.attention_mask.sum(1) - 1
    rows=torch.arange(len(tails))[:, None]
    logits = model.lm_head(hidden[rows, spots[:,2:]])
    if full: return logits[:,0], sys_end, [h[rows, spots[:,:2]] for h in out.hidden_states]
    return logits[:,0]


def _render(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]) -> str:
    chat = [message.model_dump() for message in messages]
    return tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)


def attributes(t):
    f = form_of(t)
    return [float(x) for x in (f.parts == "ACR", f.parts == "AC", f.parts == "AR", f.parts == "A", f.confidence, f.any_confidence, f.reasoning, f.rude, f.sentence, f.bare)]
