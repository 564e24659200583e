"""One training step of generator and discriminator, and everything that a checkpoint must hold."""

import math
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from colorize_training.config import OptimConfig, TrainConfig
from colorize_training.errors import DivergedError
from colorize_training.loop.losses import adversarial_loss, generator_losses
from colorize_training.loop.machine import autocast
from colorize_training.loop.schedule import AveragedWeights, learning_rate_factor
from colorize_training.models.checkpoint import Checkpoint, Progress, load_part, optimizer_tensors, restore_optimizer
from colorize_training.networks.decoding import DEFAULT_DECODING, Decoded
from colorize_training.networks.generator import (
    build_generator,
    freeze_batch_norm,
    freeze_encoder_start,
    in_channels_last,
    load_unfolded,
)
from colorize_training.networks.patchgan import PatchGAN
from colorize_training.samples.dataset import Batch


def _optimizer(groups: list[dict[str, object]], config: OptimConfig) -> torch.optim.Optimizer:
    betas = (config.beta1, config.beta2)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, betas=betas, fused=True)
    return torch.optim.AdamW(groups, betas=betas, weight_decay=config.weight_decay, fused=True)


class Trainer:
    """Networks, optimisers and averaged weights of one run.

    Args:
        config: the run.
        device: where the networks live.
        precision: ``bfloat16``, ``float16`` or ``float32`` of autocast.
        is_distributed: wrap the networks in DistributedDataParallel (the process group must exist).
    """

    def __init__(self, config: TrainConfig, device: torch.device, precision: str, is_distributed: bool = False) -> None:
        self.config = config
        self.device = device
        self.precision = precision
        self.progress = Progress(step=0, pictures=0, pictures_before=0, warmup_from=0)
        torch.manual_seed(config.seed)
        self.generator: nn.Module = build_generator(config.model)
        self.discriminator = PatchGAN() if config.loss.adversarial_weight > 0 else None
        in_channels_last(self.generator.to(device))
        if self.discriminator is not None:
            in_channels_last(self.discriminator.to(device))
        self.set_train_mode()  # before the wrapping, which waits for a gradient of every weight that is not frozen
        self._wrapped: nn.Module = self.generator
        self._wrapped_discriminator: nn.Module | None = self.discriminator
        if is_distributed:
            self._wrapped = DistributedDataParallel(self.generator)
            if self.discriminator is not None:
                self._wrapped_discriminator = DistributedDataParallel(self.discriminator)
        self._build_optimizers()
        self.average = AveragedWeights(self.generator, config.optim.ema)
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")

    def _build_optimizers(self) -> None:
        optim = self.config.optim
        named = dict(self.generator.named_parameters())
        encoder = [p for name, p in named.items() if name.startswith("encoder.")]
        rest = [p for name, p in named.items() if not name.startswith("encoder.")]
        groups: list[dict[str, object]] = [{"params": rest, "lr": optim.lr, "peak_lr": optim.lr}]
        if encoder:
            groups.append({"params": encoder, "lr": optim.encoder_lr, "peak_lr": optim.encoder_lr})
        self.optimizer = _optimizer(groups, optim)
        self.discriminator_optimizer = None
        if self.discriminator is not None:
            rate = optim.discriminator_lr
            group: dict[str, object] = {"params": list(self.discriminator.parameters()), "lr": rate, "peak_lr": rate}
            self.discriminator_optimizer = _optimizer([group], optim)

    def set_train_mode(self) -> None:
        """Put the networks in training mode, with batch normalisation frozen if the configuration says so."""
        for network in (self.generator, self.discriminator):
            if network is not None:
                network.train()
                if self.config.model.freeze_batch_norm:
                    freeze_batch_norm(network)
                freeze_encoder_start(network, self.config.model.freeze_encoder_stages)

    def _set_learning_rates(self) -> float:
        p = self.progress
        factor = learning_rate_factor(self.config.optim, p.pictures, self.config.pictures, p.warmup_from)
        for optimizer in (self.optimizer, self.discriminator_optimizer):
            if optimizer is not None:  # both fall together: a discriminator that keeps its rate wins and blotches grow
                for group in optimizer.param_groups:
                    group["lr"] = group["peak_lr"] * factor
        return factor

    def _autocast(self) -> AbstractContextManager[None]:
        return autocast(self.device, self.precision)

    @torch.no_grad()
    def forward_only(self, batch: Batch) -> None:
        """Run the generator once without learning anything (for the benchmark)."""
        batch = to_device(batch, self.device)
        with self._autocast():
            self.generator(batch.luminance, batch.hints)

    def _generator_step(self, batch: Batch, has_adversary: bool) -> tuple[dict[str, Tensor], Tensor]:
        with self._autocast():
            chroma, doubt, *logits = self._wrapped(batch.luminance, batch.hints)
        terms = generator_losses(chroma, doubt, batch.chroma, batch.hints, self.config.loss, *logits)
        if has_adversary and self.discriminator is not None:
            # The discriminator's own weights get no gradient here (and DDP must not see this pass).
            self.discriminator.requires_grad_(False)
            with self._autocast():
                logits = self.discriminator(batch.luminance, chroma)
            self.discriminator.requires_grad_(True)
            terms["adversarial"] = self.config.loss.adversarial_weight * adversarial_loss(logits.float(), True)
        loss = torch.stack(list(terms.values())).sum()
        self._demand_finite(loss, terms)
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self.optimizer)
        limit = self.config.optim.clip_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.generator.parameters(), limit)
        if not self._scaler.is_enabled():  # which leaves such a step out, as it must with float16
            self._demand_finite(norm, terms)
        self._scaler.step(self.optimizer)
        return terms, chroma.detach()

    def _discriminator_step(self, batch: Batch, given: Tensor) -> Tensor:
        assert self._wrapped_discriminator is not None  # noqa: S101  (narrows the type; the caller checked)
        assert self.discriminator_optimizer is not None  # noqa: S101
        luminance = torch.cat([batch.luminance, batch.luminance])
        with self._autocast():
            logits = self._wrapped_discriminator(luminance, torch.cat([batch.chroma, given]))
        real, fake = logits.float().chunk(2)
        # Halved, which slows the discriminator relative to the generator (Isola et al. 2017, section 3.3).
        loss = (adversarial_loss(real, True) + adversarial_loss(fake, False)) / 2
        self._demand_finite(loss, {"discriminator": loss})
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self.discriminator_optimizer)
        norm = nn.utils.clip_grad_norm_(self._wrapped_discriminator.parameters(), math.inf)
        if not self._scaler.is_enabled():
            self._demand_finite(norm, {"discriminator": loss})
        self._scaler.step(self.discriminator_optimizer)
        return loss.detach()

    def _demand_finite(self, value: Tensor, terms: dict[str, Tensor]) -> None:
        """Raise DivergedError unless a loss, or the norm of its gradient, is finite."""
        if not math.isfinite(value.item()):
            values = ", ".join(f"{name} {term.item():.4g}" for name, term in terms.items())
            raise DivergedError(
                f"The loss or its gradient is not a number after {self.progress.pictures:,} pictures ({values}).",
                "The last checkpoint is intact: go on with --resume and a smaller learning rate.",
            )

    def step(self, batch: Batch, world: int = 1) -> dict[str, float]:
        """Take one optimiser step on a batch of this process.

        Returns:
            The weighted loss terms and the learning-rate factor.

        Raises:
            DivergedError: if a loss or its gradient is not finite; the network that it is of has not changed.
        """
        factor = self._set_learning_rates()
        batch = to_device(batch, self.device)
        p = self.progress
        if self.config.model.dropout:  # each step and process has masks of its own, after a resume too
            rank = distributed.get_rank() if distributed.is_initialized() else 0
            torch.manual_seed(int(np.random.SeedSequence([self.config.seed, 5, p.pictures, rank]).generate_state(1)[0]))
        has_adversary = self.discriminator is not None and p.pictures >= self.config.loss.adversarial_from
        terms, given = self._generator_step(batch, has_adversary)
        logged = {name: term.item() for name, term in terms.items()}
        if has_adversary:
            logged["discriminator"] = self._discriminator_step(batch, given).item()
        self._scaler.update()
        self.average.update(self.generator)
        seen = p.pictures + batch.luminance.shape[0] * world
        self.progress = Progress(p.step + 1, seen, p.pictures_before, p.warmup_from)
        return {**logged, "lr": factor}

    def averaged_generator(self) -> nn.Module:
        """Return a copy of the generator with the averaged weights and its decoding, in evaluation mode."""
        generator = build_generator(self.config.model, pretrained=False)
        generator.load_state_dict(self.average.state)
        return Decoded(generator, DEFAULT_DECODING).eval()

    def _names(self, network: nn.Module) -> dict[int, str]:
        return {id(parameter): name for name, parameter in network.named_parameters()}

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint holds, under its names."""
        tensors = {f"generator.{k}": v for k, v in self.generator.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.average.state.items()}
        tensors |= optimizer_tensors(self.optimizer, self._names(self.generator), "optimizer.generator")
        if self.discriminator is not None and self.discriminator_optimizer is not None:
            tensors |= {f"discriminator.{k}": v for k, v in self.discriminator.state_dict().items()}
            names = self._names(self.discriminator)
            tensors |= optimizer_tensors(self.discriminator_optimizer, names, "optimizer.discriminator")
        if self._scaler.is_enabled():
            tensors |= {f"scaler.{k}": torch.tensor(v) for k, v in self._scaler.state_dict().items()}
        return tensors

    def resume(self, checkpoint: Checkpoint, path: Path) -> None:
        """Go on where a checkpoint stands; from half precision with fresh optimisers and a warm-up."""
        # A checkpoint for safe keeping holds the averaged weights only.
        latest = checkpoint.part("generator") or checkpoint.part("ema")
        load_part(self.generator, latest, path)
        self.average.state = {k: v.to(self.device) for k, v in checkpoint.part("ema").items()}
        p = checkpoint.progress
        self.average.steps = p.step
        if self.discriminator is not None and (state := checkpoint.part("discriminator")):
            load_part(self.discriminator, state, path)
        if checkpoint.is_half:
            self.progress = Progress(p.step, p.pictures, p.pictures_before, warmup_from=p.pictures)
            return
        self.progress = p
        if self._scaler.is_enabled() and (scaler := checkpoint.part("scaler")):
            self._scaler.load_state_dict({k: v.item() for k, v in scaler.items()})
        named = dict(self.generator.named_parameters())
        restore_optimizer(self.optimizer, named, checkpoint.part("optimizer.generator"))
        if self.discriminator is not None and self.discriminator_optimizer is not None:
            named = dict(self.discriminator.named_parameters())
            restore_optimizer(self.discriminator_optimizer, named, checkpoint.part("optimizer.discriminator"))

    def start_from_weights(self, weights: dict[str, Tensor], path: Path, seen: int, batch: Batch | None) -> None:
        """Start from the weights of an exported model.

        Args:
            weights: of the network with its normalisation folded.
            path: where they were read from.
            seen: pictures that they have seen.
            batch: to measure statistics on, for a network with batch normalisation; the layers that other decoder
                widths make differ then keep their initial weights.
        """
        if batch is None:
            load_part(self.generator, weights, path)
        else:
            weights = {k: v.to(self.device) for k, v in weights.items()}
            batch = to_device(batch, self.device)
            load_unfolded(self.generator, weights, batch.luminance, batch.hints)
        self.progress = Progress(0, 0, seen, 0)
        self.average = AveragedWeights(self.generator, self.config.optim.ema)

    def start_from(self, checkpoint: Checkpoint, path: Path) -> None:
        """Start a new stage from the averaged weights of an earlier one."""
        load_part(self.generator, checkpoint.part("ema"), path)
        if self.discriminator is not None and (state := checkpoint.part("discriminator")):
            load_part(self.discriminator, state, path)
        self.average = AveragedWeights(self.generator, self.config.optim.ema)
        p = checkpoint.progress
        self.progress = Progress(0, 0, p.pictures_before + p.pictures, 0)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch, network inputs in channels_last."""

    def moved(x: Tensor) -> Tensor:
        return x.to(device).contiguous(memory_format=torch.channels_last)

    return Batch(moved(batch.luminance), moved(batch.hints), moved(batch.chroma), batch.rgb)
