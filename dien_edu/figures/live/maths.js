// The equations of dien_edu.reference, for one history, in plain arrays. Each function has its
// Python twin, and a test holds the two together in a browser. No drawing in this file.

export const sigmoid = (x) => 0.5 * (1 + Math.tanh(0.5 * x));
export const logSigmoid = (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
export function dot(x, y) {
  let sum = 0;
  for (let i = 0; i < x.length; i += 1) sum += x[i] * y[i]; // a loop: it is most of the work
  return sum;
}
export function product(matrix, x) {
  const found = new Array(matrix.length);
  for (let i = 0; i < found.length; i += 1) found[i] = dot(matrix[i], x);
  return found;
}
export const affine = (matrix, x, bias) => product(matrix, x).map((value, i) => value + bias[i]);
export const sum = (vectors, size) => vectors.reduce((total, vector) => total.map((value, i) => value + vector[i]), Array(size).fill(0));
export const range = (n) => Array.from({ length: n }, (_, i) => i);

// Equations (2), (3), (4): weights stand in the order update, reset, candidate.
export function gruGates(input, state, { weightInput, weightHidden, bias }) {
  const n = state.length;
  const x = product(weightInput, input).map((value, i) => value + bias[i]);
  const h = product(weightHidden, state);
  const update = state.map((_, j) => sigmoid(x[j] + h[j]));
  const reset = state.map((_, j) => sigmoid(x[n + j] + h[n + j]));
  const candidate = state.map((_, j) => Math.tanh(x[2 * n + j] + reset[j] * h[2 * n + j]));
  return { update, reset, candidate };
}

// What each rule feeds into the gates, and the share of the candidate that it writes.
export const RULES = {
  gru: { scale: () => 1, share: (u) => u }, // (5)
  aigru: { scale: (a) => a, share: (u) => u }, // (9)
  agru: { scale: () => 1, share: (u, a) => a }, // (10)
  augru: { scale: () => 1, share: (u, a) => a * u }, // (11), (12)
  official: { scale: () => 1, share: (u, a) => u + a - a * u }, // what the authors' code computes
};

// A history through one rule: for each step the gates, the share written and the state after it.
export function recurrence(rule, inputs, attention, weights, start) {
  const { scale, share } = RULES[rule];
  let state = start;
  return inputs.map((input, t) => {
    const gates = gruGates(input.map((x) => scale(attention[t]) * x), state, weights);
    const written = gates.update.map((u) => share(u, attention[t]));
    state = state.map((old, j) => (1 - written[j]) * old + written[j] * gates.candidate[j]);
    return { ...gates, written, state };
  });
}

// c_1 … c_T: what step t wrote and every later step kept.
export function memory(shares) {
  let kept = 1;
  return [...shares].reverse().map((share) => {
    const part = share * kept;
    kept *= 1 - share;
    return part;
  }).reverse();
}

// Π (1 − a_t u): the share of h'_0 that is left in h'_T.
export const kept = (attention, update) => attention.reduce((left, a) => left * (1 - a * update), 1);

// Uniform attention mixed with all attention on the last click.
export const mixedAttention = (steps, concentration) =>
  range(steps).map((t) => (1 - concentration) / steps + (t === steps - 1 ? concentration : 0));
// What 1 − Π (1 − a_t u) tends to under that attention when the history has no end.
export const budgetLimit = (update, concentration) =>
  1 - (1 - concentration * update) * Math.exp(-(1 - concentration) * update);

export function softmax(scores) {
  const top = Math.max(...scores);
  const exponentials = scores.map((score) => Math.exp(score - top));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}

// The scores of equation (8): h_tᵀ W e_a.
export function attentionScores(interests, target, weight) {
  const query = product(weight, target);
  return interests.map((interest) => dot(interest, query));
}

// Equation (6) for one state: the click's term, and one term for each non-click.
export function auxiliaryTerms(interest, click, others) {
  return {
    click: -logSigmoid(dot(interest, click)),
    others: others.map((other) => -logSigmoid(-dot(interest, other))),
  };
}

// Where the loss of one state wants it: minus the gradient of the click's term and of each other's.
export function auxiliaryPulls(interest, click, others) {
  const scaled = (vector, factor) => vector.map((value) => factor * value);
  return {
    click: scaled(click, sigmoid(-dot(interest, click))),
    others: others.map((other) => scaled(other, -sigmoid(dot(interest, other)) / others.length)),
  };
}

// DIN's activation in scoring mode: a sigmoid of the standardised x decides between x and slope · x.
export const dice = (x, { mean, variance, slope }) => x.map((value, i) => {
  const open = sigmoid((value - mean[i]) / Math.sqrt(variance[i] + 1e-8));
  return (open + (1 - open) * slope[i]) * value;
});

// A number from its 16 bits of half precision.
export function half(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

// The share of (click, non-click) pairs in the right order; a tie counts one half.
export function auc(labels, scores) {
  let right = 0, pairs = 0;
  labels.forEach((label, i) => labels.forEach((other, j) => {
    if (!label || other) return;
    pairs += 1;
    right += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
  }));
  return pairs ? right / pairs : NaN;
}

// AUC within each user, weighed with the user's number of rows; a user without both classes is left out.
export function gauc(users, labels, scores) {
  let sum = 0, weight = 0;
  for (const user of new Set(users)) {
    const rows = range(users.length).filter((i) => users[i] === user);
    const value = auc(rows.map((i) => labels[i]), rows.map((i) => scores[i]));
    if (!Number.isNaN(value)) {
      sum += rows.length * value;
      weight += rows.length;
    }
  }
  return weight ? sum / weight : NaN;
}

// Equation (1), from log odds.
export const logLoss = (labels, logits) =>
  -labels.reduce((sum, label, i) => sum + logSigmoid(label ? logits[i] : -logits[i]), 0) / labels.length;

// Mean and standard deviation over the seeds, epoch by epoch, as long as all of them run.
export function meanAndSpread(seeds) {
  return range(Math.min(...seeds.map((seed) => seed.length))).map((epoch) => {
    const values = seeds.map((seed) => seed[epoch]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { mean, spread: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
  });
}

// Student's t for a two-sided 95 % interval of a mean, by the number of seeds.
const STUDENT = { 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262 };

// How far `later` is ahead of `earlier`, seed by seed: the mean, half its interval (null without a
// factor), and whether the interval leaves out 0.
export function paired(earlier, later) {
  const [{ mean: lead, spread }] = meanAndSpread(later.map((score, seed) => [score - earlier[seed]]));
  const factor = STUDENT[later.length], half = factor ? (factor * spread) / Math.sqrt(later.length) : null;
  return { lead, half, decided: half !== null && Math.abs(lead) > half + 1e-9 };
}

// Every pair of an order, worst first: is the later one ahead, as the order has it? A tie is right either way.
export const pairsOf = (order, scores) => range(order.length).flatMap((i) => range(order.length - i - 1).map((n) => {
  const j = i + n + 1, found = paired(scores[order[i]], scores[order[j]]);
  return { earlier: i, later: j, ...found, right: found.lead > -1e-9 };
}));
