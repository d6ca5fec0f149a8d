"""Notes before a run on questions that a grid cannot answer by its design, and on what would be needed."""

from __future__ import annotations

from synaug_ray.common.text import counted
from synaug_ray.config.generator_recipes import GeneratorRecipe, singles
from synaug_ray.config.protocols import JOINT, SYNTHETIC_ONLY
from synaug_ray.config.spec import GridSpec

LEAST_SIZES = 3  # numbers of real images that a law needs
LEAST_AMOUNTS = 4  # of synthetic images alone, and sizes of real ones, that an end needs (``laws.floor``)
ASKS = 3  # amounts of synthetic images alone, from which a grid asks where these end


def unanswerable(spec: GridSpec) -> list[str]:
    """A sentence for each question that the grid leaves open by its design."""
    products = [f for f in spec.products() if f.protocols != (JOINT,)]  # which is no question of amounts
    if not products:
        return []
    sizes = len({n for factors in products for n in factors.num_real if n})
    found = []
    if sizes < LEAST_SIZES:
        sizes_give = "1 size of num_real gives" if sizes == 1 else f"{sizes} sizes of num_real give"
        found.append(
            f"{sizes_give} verdicts, but no law: there will be no exchange rate, no calculator and no prediction "
            f"(predict). Give {LEAST_SIZES} sizes for these, four or more to test the law"
        )
    elif sizes == LEAST_SIZES:
        found.append(f"{sizes} sizes of num_real are too few to test a scaling law; give four or more")
    amounts = {("for each real image", m) for factors in products for m in factors.synthetic_multiples if m}
    amounts |= {("at any size", count) for factors in products for count in factors.num_synthetic}
    if not amounts:
        advice = "no synthetic images are measured, and there will be no verdict; give other values too"
        return [*found, f"synthetic_multiples is only 0: {advice}"]
    used = [(g, f.num_real) for f in products if any(map(f.amounts, f.num_real)) for g in f.generators]
    learnt = [(g, num_real) for g, num_real in used if not (g.reference or g.held_out)]
    if not learnt:
        found.append(
            "generators: none of these is trained, so this grid cannot say whether to collect or to generate; add one "
            "that is, such as edm-28px-2"
        )
    elif all(_saw_more(g, num_real) for g, num_real in learnt):
        found.append(
            "generators: all of these are trained on more real images than their cells have (trained_on), so this grid "
            "cannot say what a generator trained only on the num_real images brings; add one without trained_on"
        )
    if learnt and len(amounts) == 1 and sizes >= LEAST_SIZES:
        found.append(
            "synthetic_multiples: with one amount, this grid cannot show how an exchange rate changes with the amount; "
            "give two or more"
        )
    at = [f.amounts(n) for f in products for n in f.num_real if SYNTHETIC_ONLY in f.protocols or not n]
    alone = max(map(len, at), default=0)
    if alone >= ASKS and min(alone, sizes) < LEAST_AMOUNTS:
        found.append(
            f"protocols: with {alone} amounts of synthetic images alone and {counted(sizes, 'size')} of num_real this "
            f"grid cannot show at which error these would end; give {LEAST_AMOUNTS} of both"
        )
    return found


def _saw_more(generator: GeneratorRecipe, num_real: tuple[int, ...]) -> bool:
    """Whether it sees more real images than any cell has; pretrained generators, which anyone can use, do not count."""
    return any((one.trained_on or 0) > max(num_real) for one in singles(generator) if one.family != "pretrained")
