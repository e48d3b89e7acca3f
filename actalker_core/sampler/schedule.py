"""Noise levels of the sampling steps."""


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> list[float]:
    """Falling noise levels, evenly spaced in sigma^(1/rho), and a final 0.

    Source: Karras et al., arXiv 2206.00364, equation 5.
    """
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    last = max(steps - 1, 1)
    return [(high + i / last * (low - high)) ** rho for i in range(steps)] + [0.0]
