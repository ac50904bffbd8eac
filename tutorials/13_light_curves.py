# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Rare events in time series: planets in light curves
#
# When a planet passes in front of its star, the star becomes a little darker. Few stars show such
# a *transit*, so whoever trains a net to find them has many negatives and very few positives. In
# this chapter you will
#
# - synthesize light curves of stars: spots, noise, planets, and stars that only look like it,
# - see why accuracy says nothing about rare events, and what precision, recall and ROC curves say,
# - train recurrent spiking neurons with class weights and with oversampling against the imbalance,
# - choose a decision threshold for the purpose at hand.
#
# It runs for about 20 seconds on one core. Read [training](05_training.ipynb) before.

# %%
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torch import nn

import snntorch as snn
from snntorch import surrogate, utils

torch.manual_seed(0)
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False}

# %% [markdown]
# ## A star, a planet, a telescope
#
# A planet with $k$ times the radius of its star covers the share $k^2$ of the star's disk: 1 % for
# a Jupiter in front of a Sun, 0.01 % for an Earth. With the distance $z$ between both centers, in
# radii of the star, the flux that is missing is about
#
# $$\Delta F = k^2 \cdot c(z) \cdot I(z), \qquad
# c(z) = \mathrm{clip}\Bigl(\frac{1 + k - z}{2 k},\, 0,\, 1\Bigr), \qquad
# I(z) \propto 1 - u_1 (1 - \mu) - u_2 (1 - \mu)^2, \quad \mu = \sqrt{1 - z^2}.$$
#
# $c$ lets the planet enter and leave the disk gradually. $I$ is *limb darkening*: a star is
# brighter in the middle than at its edge, so the bottom of a transit is round.


# %%
def transit(time, k, duration, impact, u1=0.4, u2=0.25):
    """Return the relative flux that is missing `time` days from the middle of a transit."""
    half_path = ((1 + k) ** 2 - impact**2).sqrt()
    z = (impact**2 + (2 * time / duration * half_path) ** 2).sqrt()
    mu = (1 - z**2).clamp(min=0).sqrt()
    brightness = (1 - u1 * (1 - mu) - u2 * (1 - mu) ** 2) / (1 - u1 / 3 - u2 / 6)
    return k**2 * ((1 + k - z) / (2 * k)).clamp(0, 1) * brightness


hours = torch.linspace(-4, 4, 400)
fig, ax = plt.subplots(figsize=(8, 2.8), layout="constrained")
for k, impact in [(0.10, 0.0), (0.10, 0.7), (0.05, 0.0)]:
    dip = transit(hours / 24, torch.tensor(k), 4 / 24, torch.tensor(impact))
    ax.plot(hours, 100 * (1 - dip), label=f"k = {k}, passes at {impact}")
ax.set(xlabel="time from the middle of the transit (hours)", ylabel="flux (%)")
ax.legend(
    frameon=False,
    title="k: radius of the planet;\npasses off center by ...\n(both in radii of the star)",
    loc="center left",
    bbox_to_anchor=(1, 0.5),
)
plt.show()

# %% [markdown]
# A telescope adds noise. The star adds more: dark spots come and go with its rotation, and are
# often far deeper than a transit. And 8 % of our stars are *eclipsing binaries*, two stars that
# cover each other. Their dips are V-shaped and there are two per orbit, a deep and a shallow one:
# to be told apart from planets.

# %%
days = torch.arange(0, 27, 1 / 48)  # 27 days, one exposure in 30 minutes


def uniform(low, high, count):
    return low + (high - low) * torch.rand(count, 1)


def log_uniform(low, high, count):
    return uniform(math.log(low), math.log(high), count).exp()


# %%
def observe(count):
    """Return light curves (count, exposures), labels, periods and times within the orbit."""
    period = uniform(1.5, 6, count)  # days
    first = uniform(0, 1, count) * period
    phase = (days - first + period / 2) % period - period / 2  # days from the nearest transit

    turn, start = days / uniform(5, 25, count), uniform(0, 1, count)
    spots = torch.sin(2 * math.pi * (turn + start)) + 0.5 * torch.sin(4 * math.pi * turn)
    flux = 1 + log_uniform(5e-4, 6e-3, count) * spots
    flux += log_uniform(3e-4, 2e-3, count) * torch.randn(count, len(days))

    kind = torch.rand(count, 1)
    planet, binary = kind < 0.05, kind > 0.92
    size, duration = log_uniform(0.03, 0.1, count), uniform(0.08, 0.2, count)
    flux -= planet * transit(phase, size, duration, uniform(0, 0.7, count))

    depth, width = log_uniform(2e-3, 2e-2, count), uniform(0.1, 0.4, count)
    opposite = (days - first) % period - period / 2
    eclipses = (1 - phase.abs() / width).clamp(min=0)
    eclipses += 0.5 * (1 - opposite.abs() / width).clamp(min=0)
    flux -= binary * depth * eclipses
    return flux, planet[:, 0].long(), period, phase


flux, labels, period, phase = observe(7000)
print(
    f"{len(flux)} stars, {labels.sum()} of them with a planet: {100 * labels.float().mean():.1f} %"
)

# %% [markdown]
# ## From a light curve to a sequence
#
# Searches for planets prepare light curves in two steps, and so do we. The slow variation of the
# star is subtracted: the median of every half day, interpolated. Then the curve is **folded**: all
# orbits are laid on top of each other, and exposures at the same phase are averaged, which
# averages noise away, too. The result has 60 bins and is measured in units of its own noise. (The
# period is taken as known; in practice it comes from a search over many candidate periods.)

# %%
bins = 60


def fold(flux, period, phase):
    medians = flux.unflatten(1, (-1, 24)).median(-1).values.unsqueeze(1)
    rest = flux - F.interpolate(medians, scale_factor=24, mode="linear").squeeze(1)
    which = ((phase / period + 0.5) * bins).long().clamp(0, bins - 1)
    total = torch.zeros(len(flux), bins).scatter_add_(1, which, rest)
    counts = torch.zeros(len(flux), bins).scatter_add_(1, which, torch.ones_like(rest))
    mean = total / counts.clamp(min=1)
    mean -= mean.median(1, keepdim=True).values
    return (mean / (1.48 * mean.abs().median(1, keepdim=True).values)).clamp(-10, 10)


folded = fold(flux, period, phase)

# %%
binary = (folded[:, bins // 2] < -9.9) & (labels == 0)
examples = [labels.nonzero()[0], binary.nonzero()[0], (labels == 0).nonzero()[1]]
fig, axes = plt.subplots(2, 3, figsize=(8, 4.2), layout="constrained")
for i, name, (top, bottom) in zip(examples, ("planet", "binary", "nothing"), axes.T, strict=True):
    top.plot(days, 100 * (flux[i[0]] - 1), ".", ms=1)
    top.set(title=name, xlabel="time (days)")
    phases = torch.linspace(-0.5, 0.5, bins)
    bottom.plot(phases, folded[i[0]], ".-", ms=3, lw=0.8, color="C1")
    bottom.set(xlabel="phase (periods)")
axes[0, 0].set_ylabel("flux (% off its mean)")
axes[1, 0].set_ylabel("folded flux\n(units of noise)")
plt.show()

# %% [markdown]
# The net reads a folded curve in time order: at each of 12 steps a window of 15 bins, which moves
# on by 5. Spiking layers want time first, so the data have the shape (time, batch, features).


# %%
def to_sequence(folded):
    padded = F.pad(folded, (5, 5))
    return padded.unfold(1, 15, 5).transpose(0, 1).contiguous()


parts = torch.tensor([3500, 1500, 2000])
train_f, val_f, test_f = folded.split(parts.tolist())
train_y, val_y, test_y = labels.split(parts.tolist())
print("sequences for training:", tuple(to_sequence(train_f).shape))
print(
    "planets to train, validate and test with:", *(y.sum().item() for y in (train_y, val_y, test_y))
)

# %% [markdown]
# ## Accuracy is no measure here
#
# A "detector" that never finds anything is right for 95 % of all stars. Four numbers tell more. Of
# all stars, TP are planets that were found (true positives), FN planets that were missed, FP false
# alarms, TN quiet stars that were left alone:
#
# $$\text{precision} = \frac{TP}{TP + FP}, \qquad
# \text{recall (sensitivity)} = \frac{TP}{TP + FN}, \qquad
# \text{specificity} = \frac{TN}{TN + FP}.$$
#
# All of them depend on where the score of the net is cut into yes and no. The **ROC curve** shows
# all cuts at once: the share of planets found over the share of false alarms among the quiet
# stars. The area under it (**AUC**) is the probability that a random planet gets a higher score
# than a random quiet star: 0.5 for guessing, 1 for a perfect order. With rare positives even a good
# AUC can go with many false alarms per planet, so we report the **average precision** as well, the
# area under precision over recall. Guessing gets 0.05 there.


# %%
def report(name, scores, targets, cut=0.0):
    found = scores > cut
    tp, fp = (found & (targets == 1)).sum().item(), (found & (targets == 0)).sum().item()
    fn, tn = (~found & (targets == 1)).sum().item(), (~found & (targets == 0)).sum().item()
    result = {
        "accuracy": (tp + tn) / len(targets),
        "precision": tp / max(tp + fp, 1),
        "recall": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "AUC": roc_auc_score(targets, scores),
        "average precision": average_precision_score(targets, scores),
    }
    print(f"{name:15}", ", ".join(f"{key} {value:.3f}" for key, value in result.items()))
    return result | {"matrix": [[tn, fp], [fn, tp]]}


never = report("never a planet", torch.full((len(test_y),), -1.0), test_y)

# %% [markdown]
# **Think about it.** A satellite watches 100 000 stars, 0.1 % of which have a transiting planet.
# Your detector has a recall of 90 % and a specificity of 99 %. What is its precision?
#
# <details><summary>Answer</summary>
#
# There are 100 planets, of which it finds 90. It raises false alarms for 1 % of the 99 900 others:
# 999. So the precision is $90 / (90 + 999) \approx 8\,\%$. Of twelve alarms eleven are false,
# although both numbers sounded excellent.
#
# </details>
#
# ## The net
#
# One layer of recurrent neurons, `RLeaky`: their spikes come back to the whole layer in the next
# step, so what a neuron sees now is combined with what others saw before. The two output neurons
# are leaky integrators without a reset. Their membranes after the last step are the verdict, and
# the score of a star is the difference between both. `snn.unroll` runs the whole sequence.


# %%
def make_net(hidden=64):
    spike_grad = surrogate.fast_sigmoid(slope=25)
    neuron = {"init_hidden": True, "spike_grad": spike_grad, "learn_beta": True}
    return nn.Sequential(
        nn.Linear(15, hidden),
        snn.RLeaky(beta=0.9, linear_features=hidden, **neuron),
        nn.Dropout(0.3),
        nn.Linear(hidden, 2),
        snn.Leaky(beta=0.95, reset_mechanism="none", output=True, **neuron),
    )


def verdict(net, folded):
    utils.reset(net)
    _, mem = snn.unroll(net, to_sequence(folded))
    return mem[-1]


@torch.no_grad()
def score(net, folded):
    membranes = verdict(net.eval(), folded)
    return membranes[:, 1] - membranes[:, 0]


# %% [markdown]
# ## Three ways to train
#
# 1. **As it is.** The cross-entropy of all stars. Those with planets are 5 % of the sum.
# 2. **Class weights.** A planet counts ten times as much in the loss: `weight=` of
#    `F.cross_entropy`, which the losses in `snntorch.functional` take, too.
# 3. **Oversampling.** Planets are drawn more often. So that the net does not see the same few again
#    and again, new ones are made up between two that are similar, an idea known as SMOTE: pick a
#    planet, pick one of its nearest neighbors, and take a random point on the line between both.
#
# Only training data may be reweighted or made up. What is validated and tested with stays as rare
# as it is in the sky.


# %%
def invent_planets(folded, targets, count, neighbors=5):
    planets = folded[targets == 1]
    nearest = torch.cdist(planets, planets).topk(neighbors + 1, largest=False).indices[:, 1:]
    first = torch.randint(len(planets), (count,))
    second = nearest[first, torch.randint(neighbors, (count,))]
    return torch.lerp(planets[first], planets[second], torch.rand(count, 1))


# %%
def train(weight=1.0, invented=0, iterations=800, batch_size=100):
    torch.manual_seed(0)
    net = make_net()
    x = torch.cat([train_f, invent_planets(train_f, train_y, invented)])
    y = torch.cat([train_y, torch.ones(invented, dtype=torch.long)])
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=iterations)
    class_weights = torch.tensor([1.0, weight])
    for _ in range(iterations):
        chosen = torch.randint(len(x), (batch_size,))
        mirrored = torch.rand(batch_size, 1) < 0.5  # a transit looks the same backwards
        curves = torch.where(mirrored, x[chosen].flip(1), x[chosen])
        loss = F.cross_entropy(verdict(net.train(), curves), y[chosen], weight=class_weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net


nets = {
    "as it is": train(),
    "class weights": train(weight=10.0),
    "oversampling": train(invented=2000),
}

# %%
results = {name: report(name, score(net, test_f), test_y) for name, net in nets.items()}
# how far does the depth of the two middle bins get, without any net?
depth = report(
    "depth alone", -folded[-len(test_y) :, bins // 2 - 1 : bins // 2 + 1].mean(1), test_y
)

# %% [markdown]
# The last line is a warning against trusting a single number: the depth in the middle puts stars in
# a decent order, so its AUC is high. But the deepest dips belong to binaries, so its list starts
# with false alarms, and the average precision shows it.
#
# Now look at recall and precision. Left as it is, the net is careful: what it reports is mostly
# right, but it misses more planets. With weights or invented planets it finds more of them, at the
# cost of false alarms. The AUC hardly changes. The imbalance does not so much spoil *what* the net
# learns as *where* it draws the line, and that line can be moved afterwards.

# %%
fig, (left, *rest) = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for name, net in nets.items():
    alarms, found, _ = roc_curve(test_y, score(net, test_f))
    left.plot(alarms, found, label=f"{name}: {results[name]['AUC']:.3f}")
left.plot([0, 1], [0, 1], color="0.6", ls=":")
left.set(xlabel="false alarms (share of quiet stars)", ylabel="planets found (share)")
left.set_title("ROC curves and areas")
left.legend(frameon=False, fontsize=7, loc="lower right")
for ax, name in zip(rest, ("as it is", "class weights"), strict=True):
    matrix = torch.tensor(results[name]["matrix"])
    ax.imshow(matrix / matrix.sum(1, keepdim=True), cmap="Blues", vmin=0, vmax=1.6)
    for row in range(2):
        for column in range(2):
            ax.text(column, row, matrix[row, column].item(), ha="center", va="center")
    ticks, names = range(2), ["quiet", "planet"]
    ax.set(title=name, xlabel="verdict (stars)", xticks=ticks, yticks=ticks, xticklabels=names)
    ax.set_yticklabels(names, rotation=90, va="center")
rest[0].set_ylabel("truth")
plt.show()

# %% [markdown]
# ## Drawing the line
#
# What is the right cut? That depends on what comes next. If a large telescope has to look at each
# candidate, false alarms are expensive; if a person looks at a plot, missed planets are worse. Say
# that we want to find nine of ten planets. The cut with which this holds is chosen with the
# **validation** stars, and then tried once with the test stars.

# %%
net = nets["class weights"]
val_scores = score(net, val_f)
cut = val_scores[val_y == 1].quantile(0.1).item()
chosen = report("nine of ten", score(net, test_f), test_y, cut)

# %% [markdown]
# **Think about it.** The recall on the test stars is not exactly 0.9. How far off should one expect
# it?
#
# <details><summary>Answer</summary>
#
# The validation set has only about 75 planets, so the cut hangs on the scores of seven or eight of
# them. With $n$ planets a recall $r$ is uncertain by about $\sqrt{r (1 - r) / n}$: with $r = 0.9$
# by 0.035 from the validation and 0.03 from the test, 0.05 together. Twice as much is no surprise.
# Rare events make rare statistics; whoever reports a recall should report the number of positives,
# too.
#
# </details>

# %%
auc, precision = results["class weights"]["AUC"], results["class weights"]["average precision"]
print(
    f"with class weights: AUC {auc:.3f}, average precision {precision:.2f} (guessing: 0.05), "
    f"recall {results['class weights']['recall']:.2f} against {results['as it is']['recall']:.2f}"
)
assert auc > 0.9  # 0.932 when written
assert precision > 0.7  # 0.85

# %% [markdown]
# **Try it.** Smaller planets: make `size` lie between 0.01 and 0.02. How does the AUC change, and
# how does it recover when the telescope watches for 81 days instead of 27? What does folding have
# to do with it?
#
# Read next: [tactile digits](14_tactile_digits.ipynb), where the sequences are spikes from the
# start. The real thing are the light curves of Kepler and TESS, which the Mikulski Archive for
# Space Telescopes gives to everybody; a labelled set is offered on Kaggle under "Exoplanet Hunting
# in Deep Space".
#
# Sources
#
# - K. Mandel, E. Agol. Analytic light curves for planetary transit searches. Astrophysical Journal
#   Letters 580, 2002.
# - N. V. Chawla, K. W. Bowyer, L. O. Hall, W. P. Kegelmeyer. SMOTE: synthetic minority
#   over-sampling technique. Journal of Artificial Intelligence Research 16, 2002.
# - C. J. Shallue, A. Vanderburg. Identifying exoplanets with deep learning: a five-planet resonant
#   chain around Kepler-80 and an eighth planet around Kepler-90. Astronomical Journal 155, 2018.
