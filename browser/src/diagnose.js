// Lesions, liver and patient scores on the grid of the file, as postprocess/diagnosis.py.

import { describeLesions, findLesions, rejectOutsideLiver } from "./lesions.js";
import { dilate, labelComponents, liverRegion, removeNarrowParts } from "./morphology.js";

/** Class of each voxel, its lesion probability and its class if it is no lesion. */
function classify(native, { first_lesion, lesion_threshold }) {
    const voxels = native.shape[0] * native.shape[1] * native.shape[2];
    const [classes, healthy, lesion] = [new Uint8Array(voxels), new Uint8Array(voxels), new Float32Array(voxels)];
    native.visitSlices((start, slices) => {
        for (let i = 0; i < slices[0].length; i++) {
            let [total, highest, type] = [0, -1, first_lesion];
            for (let p = first_lesion; p < slices.length; p++) {
                total += slices[p][i];
                if (slices[p][i] > highest) [highest, type] = [slices[p][i], p];
            }
            lesion[start + i] = total;
            healthy[start + i] = slices[1][i] > slices[0][i] ? 1 : 0;
            classes[start + i] = total > lesion_threshold ? type : healthy[start + i];
        }
    });
    return { classes, healthy, lesion };
}

/** Reassigns components whose lesion probability is below the confidence everywhere; returns their number. */
function dropLowConfidence(classes, healthy, lesion, shape, confidence) {
    if (confidence <= 0) return 0;
    const { labels, total } = labelComponents(Uint8Array.from(classes, (value) => (value > 1 ? 1 : 0)), shape);
    const peaks = new Float32Array(total + 1);
    for (let i = 0; i < labels.length; i++) if (labels[i]) peaks[labels[i]] = Math.max(peaks[labels[i]], lesion[i]);
    for (let i = 0; i < labels.length; i++) if (labels[i] && peaks[labels[i]] < confidence) classes[i] = healthy[i];
    return [...peaks].filter((peak, n) => n && peak < confidence).length;
}

function dropNarrowParts(classes, shape, spacing, settings) {
    if (settings.opening_mm <= 0) return;
    const kept = removeNarrowParts(liverRegion(classes, shape), shape, spacing, settings.opening_mm, settings);
    for (let i = 0; i < classes.length; i++) if (classes[i] === 1 && !kept[i]) classes[i] = 0;
}

/**
 * Computes the diagnosis.
 *
 * Returns labels (1 liver, 2.. lesion types) and instances in the box of `native`, lesions and scores.
 */
export function diagnose(native, settings) {
    const { shape, spacing, affine } = native;
    const { classes, healthy, lesion } = classify(native, settings);
    const doubtful = dropLowConfidence(classes, healthy, lesion, shape, settings.confidence);
    dropNarrowParts(classes, shape, spacing, settings);
    const { rejected, volumes } = rejectOutsideLiver(classes, shape, spacing, settings);
    for (let i = 0; i < classes.length; i++) if (rejected[i]) classes[i] = 0;
    const liver = liverRegion(classes, shape);
    const region = dilate(liver, shape, spacing, settings.grow_mm).slice();
    for (let i = 0; i < region.length; i++) if (rejected[i] && !liver[i]) region[i] = 0;
    const found = findLesions(classes, shape, spacing, region, settings);
    const { scores, sums, votes } = readProbabilities(native, classes, region, found.numbers, settings);
    const lesions = describeLesions(found.lesions, sums, votes, found.numbers, shape, spacing, affine, settings);
    const labels = new Uint8Array(classes.length);
    for (let i = 0; i < labels.length; i++) {
        labels[i] = found.numbers[i] ? lesions[found.numbers[i] - 1].label : liver[i];
    }
    const hasLiver = region.some((value) => value);
    return {
        labels,
        scores,
        hasLiver,
        lesions: lesions.map(({ label, ...record }) => record),
        left_out: { doubtful, outside_liver: volumes.length + found.outside, small: found.small },
        warnings: [
            ...(hasLiver ? [] : [settings.no_liver]),
            ...(volumes.length ? [describeRejected(volumes, settings.liver_share)] : []),
        ],
    };
}

/** LiverMax of each type and group, and sums and votes of the types in each lesion. */
function readProbabilities(native, classes, region, numbers, { types, groups, first_lesion }) {
    const sums = new Float64Array((numbers.reduce((a, b) => Math.max(a, b), 0) + 1) * types.length);
    const votes = new Float64Array(sums.length);
    const names = [...types, ...Object.keys(groups)];
    const maxima = new Float64Array(names.length);
    const members = Object.values(groups);
    native.visitSlices((start, slices) => {
        for (let i = 0; i < slices[0].length; i++) {
            const at = start + i;
            if (region[at]) {
                types.forEach((_, t) => (maxima[t] = Math.max(maxima[t], slices[t + first_lesion][i])));
                members.forEach((list, g) => {
                    const sum = list.reduce((total, p) => total + slices[p][i], 0);
                    maxima[types.length + g] = Math.max(maxima[types.length + g], sum);
                });
            }
            if (numbers[at]) {
                const row = (numbers[at] - 1) * types.length;
                types.forEach((_, t) => (sums[row + t] += slices[t + first_lesion][i]));
                votes[row + classes[at] - first_lesion]++;
            }
        }
    });
    return { scores: Object.fromEntries(names.map((name, n) => [name, Math.min(maxima[n], 1)])), sums, votes };
}

function describeRejected(volumes, share) {
    const total = (volumes.reduce((a, b) => a + b, 0) / 1000).toFixed(1);
    const subject = volumes.length === 1 ? "1 candidate lesion was" : `${volumes.length} candidate lesions were`;
    return `${subject} left out (${total} ml): less than ${100 * share} % of the tissue around a candidate is liver`;
}

/** Applies the Platt lines of the calibration; scores without a line are unchanged. */
export function calibrate(scores, lines) {
    const edge = 1e-6;
    return Object.fromEntries(
        Object.entries(scores).map(([name, score]) => {
            if (!lines?.[name]) return [name, score];
            const clipped = Math.min(Math.max(score, edge), 1 - edge);
            const logit = Math.log(clipped) - Math.log1p(-clipped);
            return [name, 1 / (1 + Math.exp(-(lines[name][0] * logit + lines[name][1])))];
        }),
    );
}
