"""Samplers against an exact denoiser: for Gaussian data D(x; sigma) is known, and so is the ODE's end."""

import math

import pytest
import torch

from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.generators.samplers import SAMPLERS, dpmpp_2m, dpmpp_3m, euler, heun, image_noise, noise_levels

MEAN, SPREAD = 0.3, 0.5
ORDERS = {"euler": (euler, 1), "heun": (heun, 2), "dpmpp-2m": (dpmpp_2m, 2), "dpmpp-3m": (dpmpp_3m, 3)}


def exact(x, sigma):
    """E[y | y + sigma n = x] for y ~ N(MEAN, SPREAD^2)."""
    return (SPREAD**2 * x + sigma**2 * MEAN) / (SPREAD**2 + sigma**2)


def truth(x, sigma, end=0.0):
    """Where the probability-flow ODE takes x from noise level sigma to `end`."""
    return MEAN + (x - MEAN) * math.sqrt((SPREAD**2 + end**2) / (SPREAD**2 + sigma**2))


def levels(steps, sigma_min=0.02, sigma_max=10.0):
    return noise_levels(SamplerRecipe(name="x", steps=steps, sigma_min=sigma_min, sigma_max=sigma_max))


@pytest.mark.parametrize("name", ORDERS)
def test_order_of_convergence(name):
    """Halving the steps' size divides the error by 2**order, down to sigma_min (the last step to 0 is not of it)."""
    sampler, order = ORDERS[name]
    x = torch.randn(64, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 10
    errors = []
    for steps in (40, 80, 160):
        sigmas = levels(steps)[:-1]  # ends at sigma_min, so the truth there is exact
        errors.append(float((sampler(exact, x, sigmas) - truth(x, sigmas[0], sigmas[-1])).abs().max()))
    rates = [math.log2(a / b) for a, b in zip(errors, errors[1:], strict=False)]
    assert all(abs(rate - order) < 0.25 for rate in rates), (errors, rates)


@pytest.mark.parametrize("name", ORDERS)
def test_ends_near_the_data_distribution(name):
    sampler, order = ORDERS[name]
    x = torch.randn(20_000, 1, 1, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sigmas = levels(160 if order == 1 else 40, sigma_max=80.0)
    end = sampler(exact, x * sigmas[0], sigmas)
    assert abs(float(end.mean()) - MEAN) < 0.02
    assert abs(float(end.std()) / SPREAD - 1) < 0.04


def test_noise_levels_are_those_of_the_paper():
    """Karras et al., eq. 5, at its ends and in the middle."""
    sigmas = noise_levels(SamplerRecipe(name="x", steps=18, sigma_min=0.002, sigma_max=80.0, rho=7.0))
    assert len(sigmas) == 19 and sigmas[-1] == 0
    assert sigmas[0] == pytest.approx(80.0) and sigmas[17] == pytest.approx(0.002)
    middle = (80 ** (1 / 7) + 9 / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert sigmas[9] == pytest.approx(middle)


def test_evaluations_per_step():
    calls = []

    def counting(x, sigma):
        calls.append(sigma)
        return exact(x, sigma)

    counts = {}
    for name, sampler in SAMPLERS.items():
        calls.clear()
        sampler(counting, torch.ones(1, 1, 1, 1), levels(18))
        counts[name] = len(calls)
    assert counts == {"euler": 18, "heun": 35, "dpmpp-2m": 18, "dpmpp-3m": 18}


def diffusers_end(x, steps, order, last=None):
    """Where diffusers' multistep solver takes noise x, and the noise levels on the way."""
    from diffusers import EDMDPMSolverMultistepScheduler

    scheduler = EDMDPMSolverMultistepScheduler(
        sigma_min=0.02,
        sigma_max=10.0,
        sigma_data=SPREAD,
        solver_order=order,
        final_sigmas_type="zero",
        lower_order_final=False,
    )
    scheduler.set_timesteps(steps)
    sigmas = [float(s) for s in scheduler.sigmas]
    x = x * sigmas[0]
    for i, t in enumerate(scheduler.timesteps[:last]):
        denoised = exact(x, sigmas[i])
        total = sigmas[i] ** 2 + SPREAD**2
        raw = (denoised - SPREAD**2 / total * x) / (sigmas[i] * SPREAD / math.sqrt(total))  # of a network that knows D
        x = scheduler.step(raw, t, x).prev_sample.double()
    return x, sigmas


def test_dpmpp_2m_agrees_with_diffusers():
    """The same solver, on the same noise levels."""
    x = torch.randn(8, 1, 2, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    theirs, sigmas = diffusers_end(x, 12, 2)
    assert float((dpmpp_2m(exact, x * sigmas[0], sigmas) - theirs).abs().max()) < 1e-4


def test_third_order_is_third_where_that_of_diffusers_is_second():
    """diffusers 0.42 (as DPM-Solver's own code) halves the parabola's curvature, so its third order converges as its
    second does. The 3M here is the exact integral, and so no copy of theirs to agree with."""
    x = torch.randn(64, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours, theirs = [], []
    for steps in (40, 80, 160):
        end, sigmas = diffusers_end(x, steps, 3, last=-1)
        sigmas = sigmas[:-1]
        aim = truth(x * sigmas[0], sigmas[0], sigmas[-1])
        theirs.append(float((end - aim).abs().max()))
        ours.append(float((dpmpp_3m(exact, x * sigmas[0], sigmas) - aim).abs().max()))
    assert ours[2] < theirs[2] / 4
    assert math.log2(ours[0] / ours[2]) / 2 > 2.75


def test_noise_of_an_image_is_a_function_of_its_index():
    together = image_noise(7, [0, 1, 2, 3], (1, 4, 4))
    assert torch.equal(together[2], image_noise(7, [2], (1, 4, 4))[0])
    assert not torch.equal(together[2], image_noise(8, [2], (1, 4, 4))[0])
    assert not torch.equal(together[0], together[1])
