// Lesions, liver and patient scores on the grid of the file, as postprocess/diagnosis.py.

import { describeLesions, findLesions, rejectOutsideLiver } from "./lesions.js";
import { dilate, labelComponents, liverRegion, removeNarrowParts } from "./morphology.js";

/** Class of each voxel, its most probable type, its lesion probability, its class if it is no lesion, and its background probability. */
function classify(native, { first_lesion, lesion_threshold }) {
    const voxels = native.shape[0] * native.shape[1] * native.shape[2];
    const [classes, types, healthy] = [0, 1, 2].map(() => new Uint8Array(voxels));
    const [lesion, background] = [0, 1].map(() => new Float32Array(voxels));
    native.visitSlices((start, slices) => {
        for (let i = 0; i < slices[0].length; i++) {
            let [total, highest, type] = [0, -1, first_lesion];
            for (let p = first_lesion; p < slices.length; p++) {
                total += slices[p][i];
                if (slices[p][i] > highest) [highest, type] = [slices[p][i], p];
            }
            lesion[start + i] = total;
            background[start + i] = slices[0][i];
            types[start + i] = type;
            healthy[start + i] = slices[1][i] > slices[0][i] ? 1 : 0;
            classes[start + i] = total > lesion_threshold ? type : healthy[start + i];
        }
    });
    return { classes, types, healthy, lesion, background };
}

/** Adds components of moderate lesion probability that contain no lesion voxel. */
function addFaintCandidates({ classes, types, lesion }, shape, { faint_threshold, lesion_threshold }) {
    if (faint_threshold >= lesion_threshold) return;
    const above = Uint8Array.from(lesion, (value) => (value > faint_threshold ? 1 : 0));
    const { labels, total } = labelComponents(above, shape);
    const hasLesion = new Uint8Array(total + 1);
    for (let i = 0; i < labels.length; i++) if (classes[i] > 1) hasLesion[labels[i]] = 1;
    for (let i = 0; i < labels.length; i++) if (labels[i] && !hasLesion[labels[i]]) classes[i] = types[i];
}

function dropNarrowParts(classes, background, shape, spacing, settings) {
    if (settings.opening_mm <= 0) return [];
    const liver = liverRegion(classes, shape);
    const kept = removeNarrowParts(liver, background, shape, spacing, settings.opening_mm, settings);
    let [whole, dropped] = [0, 0];
    for (let i = 0; i < classes.length; i++) {
        whole += liver[i];
        if (classes[i] !== 1 || kept[i]) continue;
        classes[i] = 0;
        dropped += liver[i];
    }
    return dropped && dropped >= settings.named_share * whole ? [describeDropped(dropped, whole, spacing, settings)] : [];
}

function describeDropped(dropped, whole, spacing, { opening_mm }) {
    const volume = (dropped * spacing[0] * spacing[1] * spacing[2]) / 1000;
    const share = `${Math.round((100 * dropped) / whole)}%`;
    return (
        `${Math.round(volume)} ml (${share} of what the network called liver) were left out of the liver mask, because a ` +
        `bridge narrower than ${2 * opening_mm} mm connects them with it: check that no part of the liver is missing`
    );
}

/** Liver without a margin, and the region that contains lesions. */
function findRegion(classes, rejected, shape, spacing, growMm) {
    const liver = liverRegion(classes, shape);
    const region = dilate(liver, shape, spacing, growMm).slice();
    for (let i = 0; i < region.length; i++) if (rejected[i] && !liver[i]) region[i] = 0;
    return { liver, region };
}

/**
 * Computes the diagnosis.
 *
 * Returns labels (1 liver, 2.. lesion types) in the box of `native`, lesions and scores.
 */
export function diagnose(native, settings) {
    const { shape, spacing } = native;
    const voxels = classify(native, settings);
    const { classes, healthy, lesion, background } = voxels;
    addFaintCandidates(voxels, shape, settings);
    const notes = dropNarrowParts(classes, background, shape, spacing, settings);
    const { rejected, volumes } = rejectOutsideLiver(classes, shape, spacing, settings);
    for (let i = 0; i < classes.length; i++) if (rejected[i]) classes[i] = 0;
    let { liver, region } = findRegion(classes, rejected, shape, spacing, settings.grow_mm);
    const found = findLesions(classes, shape, spacing, region, settings);
    const candidates = describeCandidates(native, classes, lesion, found, settings);
    const isKept = candidates.map(({ existence }) => existence >= settings.min_existence);
    const numbers = renumber(found.numbers, isKept);
    if (isKept.includes(false)) {
        for (let i = 0; i < classes.length; i++) if (found.numbers[i] && !numbers[i]) classes[i] = healthy[i];
        ({ liver, region } = findRegion(classes, rejected, shape, spacing, settings.grow_mm));
    }
    const lesions = candidates.filter((_, n) => isKept[n]).map((record, n) => ({ ...record, instance: n + 1 }));
    const labels = Uint8Array.from(numbers, (number, i) => (number ? lesions[number - 1].label : liver[i]));
    const hasLiver = region.some((value) => value);
    return {
        labels,
        scores: computeLiverMax(native, region, settings),
        hasLiver,
        lesions: lesions.map(({ label, ...record }) => record),
        left_out: {
            doubtful: isKept.filter((kept) => !kept).length,
            outside_liver: volumes.length + found.outside,
            small: found.small,
        },
        warnings: [
            ...(hasLiver ? notes : [settings.no_liver]),
            ...(volumes.length ? [describeRejected(volumes, settings.liver_share)] : []),
        ],
    };
}

/** Numbers the lesions that are kept anew; the others become 0. */
function renumber(numbers, isKept) {
    let count = 0;
    const table = [0, ...isKept.map((kept) => (kept ? ++count : 0))];
    return numbers.map((number) => table[number]);
}

/** Records of all lesions, with the probability that each exists (postprocess/lesion_existence.py). */
function describeCandidates(native, classes, lesion, found, settings) {
    const { shape, spacing, affine } = native;
    const { sums, votes } = sumProbabilities(native, classes, found.numbers, settings);
    const peaks = new Float32Array(found.lesions.length);
    for (let i = 0; i < lesion.length; i++) {
        if (found.numbers[i]) peaks[found.numbers[i] - 1] = Math.max(peaks[found.numbers[i] - 1], lesion[i]);
    }
    const records = describeLesions(found.lesions, sums, votes, found.numbers, shape, spacing, affine, settings);
    return records.map((record, n) => {
        const mean = Object.values(record.probabilities).reduce((a, b) => a + b, 0);
        const peak = Math.min(peaks[n], 1);
        return { ...record, peak_probability: peak, existence: computeExistence(peak, mean, record.volume_mm3, settings) };
    });
}

function computeExistence(peak, mean, volume, { existence, existence_edge }) {
    if (!existence) return peak;
    const sum =
        existence.peak * logit(peak, existence_edge) +
        existence.mean * logit(mean, existence_edge) +
        existence.volume * Math.log(Math.max(volume, 1)) +
        existence.intercept;
    return 1 / (1 + Math.exp(-sum));
}

/** Sums and votes of the types in each lesion. */
function sumProbabilities(native, classes, numbers, { types, first_lesion }) {
    const sums = new Float64Array((numbers.reduce((a, b) => Math.max(a, b), 0) + 1) * types.length);
    const votes = new Float64Array(sums.length);
    native.visitSlices((start, slices) => {
        for (let i = 0; i < slices[0].length; i++) {
            const at = start + i;
            if (!numbers[at]) continue;
            const row = (numbers[at] - 1) * types.length;
            types.forEach((_, t) => (sums[row + t] += slices[t + first_lesion][i]));
            votes[row + classes[at] - first_lesion]++;
        }
    });
    return { sums, votes };
}

/** LiverMax of each type and group: the maximum inside the liver (postprocess/livermax.py). */
function computeLiverMax(native, region, { types, groups, first_lesion }) {
    const names = [...types, ...Object.keys(groups)];
    const maxima = new Float64Array(names.length);
    const members = Object.values(groups);
    native.visitSlices((start, slices) => {
        for (let i = 0; i < slices[0].length; i++) {
            if (!region[start + i]) continue;
            types.forEach((_, t) => (maxima[t] = Math.max(maxima[t], slices[t + first_lesion][i])));
            members.forEach((list, g) => {
                const sum = list.reduce((total, p) => total + slices[p][i], 0);
                maxima[types.length + g] = Math.max(maxima[types.length + g], sum);
            });
        }
    });
    return Object.fromEntries(names.map((name, n) => [name, Math.min(maxima[n], 1)]));
}

function describeRejected(volumes, share) {
    const total = (volumes.reduce((a, b) => a + b, 0) / 1000).toFixed(1);
    const subject = volumes.length === 1 ? "1 candidate lesion was" : `${volumes.length} candidate lesions were`;
    return `${subject} left out (${total} ml): less than ${100 * share} % of the tissue around a candidate is liver`;
}

function logit(value, edge) {
    const clipped = Math.min(Math.max(value, edge), 1 - edge);
    return Math.log(clipped) - Math.log1p(-clipped);
}

/** Applies the Platt lines of the calibration; scores without a line are unchanged. */
export function calibrate(scores, { calibration, platt_edge }) {
    return Object.fromEntries(
        Object.entries(scores).map(([name, score]) => {
            const line = calibration?.[name];
            return [name, line ? 1 / (1 + Math.exp(-(line[0] * logit(score, platt_edge) + line[1]))) : score];
        }),
    );
}
