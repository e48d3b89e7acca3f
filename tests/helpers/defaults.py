"""The released model's own values for sampling, where a test needs some and any would do."""

from actalker_core.models.actalker.config import ModelConfig
from actalker_core.models.actalker.defaults import default_guidance, default_windows

GUIDANCE, WINDOWS = default_guidance(ModelConfig()), default_windows(ModelConfig())
RHO = ModelConfig().sampling.rho
