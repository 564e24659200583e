"""The training configuration: frozen dataclasses, read from TOML, kept inside every checkpoint.

Every setting has its default, unit and reason here and nowhere else.  An unknown key is an error, never ignored.
"""

import tomllib
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, cast, get_type_hints

from colorize_training.errors import ConfigError

NETWORKS: Final = ("unet-efficientnet", "unet256")
ENCODER_STAGES: Final = 7
"""Of every EfficientNet-Lite."""

DEFAULT: Final = "default"
PAPER: Final = "pix2pix-paper"
"""Names of the configurations that are written here; the others are files."""

_CONFIGS: Final = Path(__file__).parent / "configs"

SCHEDULES: Final = ("warmup-stable-decay", "pix2pix")


@dataclass(frozen=True)
class DataConfig:
    """Which pictures, how many of which set, and how they are cut."""

    folder: str = "shards"  # shards and manifest.csv; the command line's --data wins
    people_share: float = 0.4  # share of samples from the set "people", if there is one
    dark_skin_share: float = 0.0  # share of people's samples drawn from the darkest third of the aligned face crops
    grey_backdrop: float = 0.0  # share of people before a plain, cool backdrop who get grey canvas behind them
    crop_px: int = 160  # side of the square crop that the network sees
    crop_px_end: int = 0  # side that the crops grow to while the last growth_pictures are seen; 0 = they do not grow
    growth_pictures: int = 0
    enlarge_max: float = 2.0  # crops are enlarged up to so many times, so that 384 and 512 px work
    aspect_jitter: float = 0.15  # width / height is changed by up to this share
    flip: bool = True
    has_splits: bool = True  # keep the choose and report splits out; an artist's own few pictures are all used


@dataclass(frozen=True)
class DegradeConfig:
    """Probabilities of each degradation that old photographs show; 0 switches one off.

    Twice these (but for emulsions) made clean pictures rare, and cost a cosine of 0.01 to 0.02 on them
    (training/EXPERIMENTS.md).
    """

    emulsion: float = 0.5  # else CIE Y, so that half of the samples keep it
    tone: float = 0.25  # gamma of the tone curve
    blur: float = 0.25  # the article's recipe: old photographs are softer
    blur_sigma_max: float = 2.2  # px at crop size
    grain: float = 0.25
    grain_max: float = 4.0  # standard deviation, L*
    fade: float = 0.15  # raised blacks, lowered whites
    vignette: float = 0.08
    jpeg: float = 0.08
    halftone: float = 0.03
    damage: float = 0.05  # dust, scratches, folds
    backdrop: float = 0.05  # grey studio backdrop around an oval: without it portraits get a blue sky behind them


@dataclass(frozen=True)
class HintConfig:
    """Simulated colour hints."""

    share: float = 0.5  # samples with hints
    max_points: int = 40
    recolour: float = 0.15  # share of hinted samples whose true colours are turned by a random hue
    local: float = 0.0  # share of samples in which an object or two get another colour, and dabs that say so
    strokes: float = 0.0  # share of hinted samples with few broad strokes, as artists make them, instead of points
    far_places: float = 0.0  # share of those strokes where the colour is far from the picture's mean


@dataclass(frozen=True)
class ModelConfig:
    """The generator."""

    network: str = "unet-efficientnet"
    encoder: str = "lite2"  # of unet-efficientnet
    pretrained: bool = True  # ImageNet weights for the encoder
    upsampling: str = "resize"  # of unet256: "transposed" (the paper) or "resize" (no checkerboard)
    dropout: bool = False  # of unet256
    freeze_batch_norm: bool = False  # use the running statistics in training too
    freeze_encoder_stages: int = 0  # of unet-efficientnet: keep the stem and so many stages after it as they are
    distribution: bool = False  # of unet-efficientnet: a distribution over a*b* besides the mean
    folded_batch_norm: bool = False  # normalisation is part of the convolutions, as in an exported model


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses; chroma is measured in a*b* units."""

    pixel: str = "huber"  # "huber" or "l1" (the paper)
    huber_beta: float = 12.0  # a*b* units; small = median (pale where undecided), large = mean
    pixel_weight: float = 0.1
    chroma_reweight: float = 20.0  # a pixel counts 1 + C*/this; 0 = off
    cosine_weight: float = 0.5  # 1 - cosine between the true and the given a*b* of a crop
    hint_weight: float = 12.0  # added weight of pixels near a hint
    doubt_weight: float = 0.2
    distribution_weight: float = 0.35  # of the cross-entropy, where the network gives a distribution
    adversarial_weight: float = 0.0
    adversarial_from: int = 0  # pictures seen before the discriminator joins


@dataclass(frozen=True)
class OptimConfig:
    """Optimiser and schedule."""

    optimizer: str = "adamw"  # "adamw" or "adam" (the paper)
    lr: float = 1e-3  # decoder and heads
    encoder_lr: float = 3e-4
    discriminator_lr: float = 2e-4
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.01
    clip_norm: float = 1.0  # 0 = no clipping
    schedule: str = "warmup-stable-decay"
    warmup_pictures: int = 3000
    decay_pictures: int = 40000  # while the last so many pictures of the run are seen, the rates fall to 1 %
    ema: float = 0.9995  # decay of the averaged weights a step; 0 = off
    batch: int = 16


@dataclass(frozen=True)
class TrainConfig:
    """One run of ``colorize-train fit``."""

    name: str = "run"
    stage: int = 1
    pictures: int = 300_000  # pictures to see in this stage
    seed: int = 1
    start_from: str = ""  # checkpoint whose weights this stage starts from
    data: DataConfig = field(default_factory=DataConfig)
    degrade: DegradeConfig = field(default_factory=DegradeConfig)
    hints: HintConfig = field(default_factory=HintConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)


def _build(cls: type[Any], values: dict[str, Any], where: str) -> Any:
    hints = get_type_hints(cls)
    known = {f.name for f in fields(cls)}
    if unknown := sorted(set(values) - known):
        raise ConfigError(
            f"{where} has no setting {', '.join(unknown)}.", f"Known settings are: {', '.join(sorted(known))}."
        )
    built: dict[str, Any] = {}
    for key, value in values.items():
        expected = hints[key]
        if is_dataclass(expected):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: {key} is not a table.", f"Write its settings under [{key}].")
            built[key] = _build(cast(type[Any], expected), value, f"{where} [{key}]")
            continue
        if expected is float and type(value) is int:
            value = float(value)
        if type(value) is not expected:
            raise ConfigError(
                f"{where}: {key} is {value!r}, a {type(value).__name__}.", f"Give a value of type {expected.__name__}."
            )
        built[key] = value
    return cls(**built)


def config_from_dict(values: dict[str, Any], where: str = "The configuration") -> TrainConfig:
    """Build and check a configuration.

    Raises:
        ConfigError: on an unknown key, a wrong type or a value out of range.
    """
    config: TrainConfig = _build(TrainConfig, values, where)
    return checked(config, where)


def checked(config: TrainConfig, where: str) -> TrainConfig:
    """Return a configuration that was put together from parts.

    Args:
        config: to check.
        where: what the message is about.

    Raises:
        ConfigError: if a value is out of range, alone or beside another one.
    """
    _check(config, where)
    return config


def config_from_toml(path: Path) -> TrainConfig:
    """Read a TOML file.

    Raises:
        ConfigError: if it is missing, is not TOML, or holds wrong settings.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = f"Give a TOML file, or a name: {', '.join(config_names())}."
        raise ConfigError(f"There is no configuration {path}.", remedy) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML ({error}).", "Correct the line that is named.") from error
    preset = values.pop("preset", None)
    if preset is not None:
        values = _merged(asdict(named_config(preset)), values)
    return config_from_dict(values, str(path))


def crop_multiple(config: ModelConfig) -> int:
    """Return what the side of a crop must be a multiple of, px: the coarsest stride of the network."""
    return 256 if config.network == "unet256" else 32


def config_to_dict(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as plain nested dictionaries (JSON-ready)."""
    return asdict(config)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def config_names() -> list[str]:
    """Return the names that :func:`named_config` knows."""
    return [DEFAULT, PAPER, *sorted(path.stem for path in _CONFIGS.glob("*.toml"))]


def named_config(name: str) -> TrainConfig:
    """Return a configuration that comes with the package, from here or from the folder ``configs``.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name == DEFAULT:
        return TrainConfig()
    if name == PAPER:
        return paper_config()
    if name in config_names():
        return config_from_toml(_CONFIGS / f"{name}.toml")
    raise ConfigError(f"There is no configuration named {name!r}.", f"Use one of {', '.join(config_names())}.")


def paper_config() -> TrainConfig:
    """Return the settings of pix2pix's paper.

    Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), section
    6.2 and appendix: U-Net-256 with BatchNorm and dropout, 70x70 PatchGAN, L1 x 100, Adam with 2e-4 and beta1 0.5,
    batches of one, random jitter and mirroring, constant rate and then a linear decay.
    """
    return replace(
        TrainConfig(),
        name=PAPER,
        data=DataConfig(crop_px=256, enlarge_max=1.0, aspect_jitter=0.0),
        degrade=DegradeConfig(**{f.name: 0.0 for f in fields(DegradeConfig)}),
        hints=HintConfig(share=0.0),
        model=ModelConfig(network="unet256", pretrained=False, upsampling="transposed", dropout=True),
        # Chroma / 110 lies in [-1, 1] as the paper's pictures do; the pixel loss is in a*b* units, hence / 110.
        loss=LossConfig(
            pixel="l1",
            pixel_weight=100.0 / 110.0,
            chroma_reweight=0.0,
            cosine_weight=0.0,
            hint_weight=0.0,
            doubt_weight=0.2,
            adversarial_weight=1.0,
        ),
        optim=OptimConfig(
            optimizer="adam",
            lr=2e-4,
            encoder_lr=2e-4,
            discriminator_lr=2e-4,
            beta1=0.5,
            beta2=0.999,
            weight_decay=0.0,
            clip_norm=0.0,
            schedule="pix2pix",
            warmup_pictures=0,
            ema=0.0,
            batch=1,
        ),
    )


def _check(config: TrainConfig, where: str) -> None:
    """Raise ConfigError if a value is out of range."""

    def demand(is_fine: bool, cause: str, remedy: str) -> None:
        if not is_fine:
            raise ConfigError(f"{where}: {cause}", remedy)

    multiple = crop_multiple(config.model)
    crop, crop_end = config.data.crop_px, config.data.crop_px_end
    demand(
        config.model.network in NETWORKS, f"network is {config.model.network!r}.", f"Use one of {', '.join(NETWORKS)}."
    )
    demand(crop > 0 and crop % multiple == 0, f"crop_px is {crop}.", f"Use a multiple of {multiple}.")
    demand(
        crop_end == 0 or (crop_end >= crop and crop_end % multiple == 0),
        f"crop_px_end is {crop_end}.",
        f"Use a multiple of {multiple} from crop_px on, or 0 for crops that do not grow.",
    )
    demand(
        0 <= config.data.growth_pictures <= config.pictures,
        f"growth_pictures is {config.data.growth_pictures}.",
        "Use 0 up to the pictures of the run.",
    )
    demand(config.pictures > 0, f"pictures is {config.pictures}.", "Give the number of pictures to see, above 0.")
    demand(config.optim.batch > 0, f"batch is {config.optim.batch}.", "Use 1 or more.")
    demand(0.0 <= config.optim.ema < 1.0, f"ema is {config.optim.ema}.", "Use 0 (off) up to 0.9999.")
    demand(
        config.optim.schedule in SCHEDULES,
        f"schedule is {config.optim.schedule!r}.",
        f"Use one of {', '.join(SCHEDULES)}.",
    )
    demand(config.optim.optimizer in ("adamw", "adam"), f"optimizer is {config.optim.optimizer!r}.", "adamw or adam.")
    demand(config.loss.pixel in ("huber", "l1"), f"pixel is {config.loss.pixel!r}.", "Use huber or l1.")
    demand(
        config.model.upsampling in ("resize", "transposed"),
        f"upsampling is {config.model.upsampling!r}.",
        "Use resize or transposed.",
    )
    demand(
        0 <= config.model.freeze_encoder_stages <= ENCODER_STAGES,
        f"freeze_encoder_stages is {config.model.freeze_encoder_stages}.",
        f"Use 0 (none) to {ENCODER_STAGES}.",
    )
    demand(
        config.data.dark_skin_share < 0.9, f"dark_skin_share is {config.data.dark_skin_share}.", "Use less than 0.9."
    )
    demand(config.data.enlarge_max >= 1.0, f"enlarge_max is {config.data.enlarge_max}.", "Use 1 or more.")
    demand(config.loss.huber_beta > 0, f"huber_beta is {config.loss.huber_beta}.", "Use a value above 0.")
    shares = {
        "people_share": config.data.people_share,
        "dark_skin_share": config.data.dark_skin_share,
        "aspect_jitter": config.data.aspect_jitter,
        "grey_backdrop": config.data.grey_backdrop,
        "hints.share": config.hints.share,
        "hints.recolour": config.hints.recolour,
        "hints.local": config.hints.local,
        "hints.strokes": config.hints.strokes,
        "hints.far_places": config.hints.far_places,
        **{
            f.name: getattr(config.degrade, f.name)
            for f in fields(config.degrade)
            if f.name not in ("blur_sigma_max", "grain_max")
        },
    }
    for name, value in shares.items():
        demand(0.0 <= value <= 1.0, f"{name} is {value}.", "It is a share: use 0 to 1.")


def crop_side(config: TrainConfig, pictures: int) -> int:
    """Return the side of the crops after so many pictures of a stage, px.

    Small crops are cheap and teach most of it; the last ones come near the size that the model is used at, which
    batch normalisation and the scale of things ask for (Touvron et al., "Fixing the train-test resolution
    discrepancy", NeurIPS 2019).  The sides between are seen equally long.

    Args:
        config: the run.
        pictures: seen in this stage.
    """
    data = config.data
    grown = pictures - (config.pictures - data.growth_pictures)
    if data.crop_px_end == 0 or data.growth_pictures == 0 or grown < 0:
        return data.crop_px
    multiple = crop_multiple(config.model)
    sizes = (data.crop_px_end - data.crop_px) // multiple
    return data.crop_px + multiple * min(sizes, 1 + grown * sizes // data.growth_pictures)
