"""REINFORCE leave-one-out (Ahmadian et al. 2024, arXiv:2402.14740), one prompt a step and without a reference."""

from __future__ import annotations

import random
from typing import ClassVar

from pydantic import Field, PositiveInt

from solon.plugins import Checkpoint, Job, Message, Prompt, RewardTrainer, Task, read_rows
from solon.plugins.testing import REWARD


class RLOOLite(RewardTrainer):
    """Makes completions likelier that are rewarded above the mean of the others of their prompt."""

    kind: ClassVar[str] = "rloo_lite"
    api_version: ClassVar[str] = "1.0"
    checked_with: ClassVar = {"reward": REWARD, "learning_rate": 0.01, "max_new_tokens": 6, "max_steps": 15}

    num_generations: PositiveInt = Field(default=8, ge=2, description="Completions of a prompt, which is a step.")
    max_new_tokens: PositiveInt = Field(default=256, description="Longest completion, in tokens.")

    def completions_of(self, prompts: int) -> tuple[int, int]:
        """A group for each prompt: what ``solon plan`` counts."""
        return self.num_generations, self.max_steps or prompts * self.epochs

    def train(self, job: Job) -> Checkpoint:
        """Answers the prompts of ``job.dataset``, learns from the rewards, and writes the policy into ``job.out``."""
        choice = self.choose_backend(job.policy)
        import torch
        from peft import get_peft_model

        from solon.plugins import training as solon

        rows = read_rows(job.dataset, Task, trainer=self.kind)
        asked = rows.train["prompt"].to_pylist()
        chats = [[{"role": "user", "content": one}] if isinstance(one, str) else one for one in asked]
        kept = solon.Kept(job.kept)
        last: dict[str, float] = {}
        with solon.deterministic(job.seed), solon.open_rewards(self, job) as score:
            loaded = solon.load_policy(job.policy, choice, lora=self.lora, seed=job.seed).loaded
            configuration = solon.Configuration.of(loaded.network)
            model = loaded.model if self.lora is None else get_peft_model(loaded.model, solon.adapters(self.lora))
            moving = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
            optimizer = torch.optim.AdamW(moving.values(), lr=self.peak_learning_rate, weight_decay=0.0)
            steps, done = self.max_steps or len(chats) * self.epochs, 0
            if (newest := kept.latest()) is not None:  # a kill costs no more than the steps since
                state, done = solon.read_state(newest / solon.STATE), kept.step_of(newest)
                model.load_state_dict(state["weights"], strict=False)
                optimizer.load_state_dict(state["optimizer"])
                solon.restore_random(state["random"])
                last.update(job.go_on_from(done))
            for step in range(done + 1, steps + 1):
                chat = random.Random(f"{job.seed}:{step}").choice(chats)
                tokens = loaded.tokenizer.apply_chat_template(
                    [chat] * self.num_generations, add_generation_prompt=True, return_tensors="pt", return_dict=True
                ).to(loaded.device)
                written = model.generate(
                    **tokens,
                    do_sample=True,
                    temperature=1.0,
                    top_k=0,
                    max_new_tokens=self.max_new_tokens,
                    pad_token_id=loaded.pad_id,
                )
                answers = written[:, tokens["input_ids"].shape[1] :]
                ended = torch.isin(answers, torch.tensor(loaded.eos_ids, device=loaded.device))
                counted = (ended.cumsum(1) - ended.long() == 0).float()  # up to the end token, and with it
                texts = loaded.tokenizer.batch_decode(answers, skip_special_tokens=True)
                prompt = Prompt(messages=tuple(Message.model_validate(turn) for turn in chat))
                rewarded = score([prompt] * len(texts), texts)
                rewards = torch.tensor([one or 0.0 for one in rewarded.total], device=loaded.device)
                there = torch.tensor([float(one is not None) for one in rewarded.total], device=loaded.device)
                others = (rewards.sum() - rewards) / (there.sum() - there).clamp(min=1)
                scores = model(input_ids=written).logits[:, -answers.shape[1] - 1 : -1].log_softmax(-1)
                likelihood = (scores.gather(2, answers[..., None])[..., 0] * counted).sum(1)
                loss = -((rewards - others) * there * likelihood).sum() / there.sum().clamp(min=1)
                optimizer.zero_grad()
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(moving.values(), 1.0)
                optimizer.step()
                mean = rewards.sum() / there.sum().clamp(min=1)
                last |= {"loss": loss.item(), "reward": mean.item(), "grad_norm": norm.item(), **solon.curves(rewarded)}
                job.report(step, steps, last)
                if step % self.steps_between_saves(steps) == 0 and step < steps:
                    with kept.writing(step) as folder:
                        state = {"weights": dict(moving), "optimizer": optimizer.state_dict()}
                        solon.write_state(folder / solon.STATE, {**state, "random": solon.random_state()})
            solon.save_trained(model, loaded.tokenizer, job, full=self.lora is None, configuration=configuration)
            return solon.described(self, job, rows, last, "policy", apart=False)
