// Whether a liver that touches a side of the examined box continues beyond it, as inference/box_sides.py.

import { distanceTransform } from "./morphology.js";
import { boxShape, count, cropVolume } from "./volume.js";

const product = (values) => values.reduce((a, b) => a * b, 1);

export const SIDES = [0, 1, 2].flatMap((axis) => [0, 1].map((end) => ({ axis, end, key: 2 * axis + end })));

/** Voxels of a mask in its outermost plane of one side, with the shape of the plane. */
function takePlane(mask, shape, { axis, end }) {
    const box = shape.map((n) => [0, n]);
    box[axis] = end ? [shape[axis] - 1, shape[axis]] : [0, 1];
    return { plane: cropVolume(mask, shape, box), size: boxShape(box).filter((_, other) => other !== axis) };
}

export function contactMm2(mask, shape, side, spacing) {
    const { plane } = takePlane(mask, shape, side);
    return (plane.reduce((sum, value) => sum + value, 0) * product(spacing)) / spacing[side.axis];
}

/** Diameter in mm of the largest circle in the contact area of a mask with a side of its volume. */
export function contactDiameterMm(mask, shape, side, spacing) {
    const { plane, size } = takePlane(mask, shape, side);
    const padded = new Uint8Array((size[0] + 2) * (size[1] + 2));
    for (let a = 0; a < size[0]; a++) {
        padded.set(plane.subarray(a * size[1], (a + 1) * size[1]), (a + 1) * (size[1] + 2) + 1);
    }
    const steps = spacing.filter((_, axis) => axis !== side.axis);
    const depth = distanceTransform(padded, [1, size[0] + 2, size[1] + 2], [1, ...steps]);
    return Math.max(2 * depth.reduce((a, b) => Math.max(a, b), 0) - Math.min(...steps), 0);
}

/** Sides of a box that a mask in it touches, except sides of the volume. */
export function touchedSides(mask, box, shape, spacing, contactCm2) {
    return SIDES.filter(({ axis, end }) => (end ? box[axis][1] < shape[axis] : box[axis][0] > 0)).filter(
        (side) => contactMm2(mask, boxShape(box), side, spacing) >= contactCm2 * 100,
    );
}

export function extendBox(box, sides, extension, shape) {
    const ends = box.map((side) => [...side]);
    for (const { axis, end } of sides) ends[axis][end] += end ? extension[axis] : -extension[axis];
    return ends.map(([low, high], axis) => [Math.max(low, 0), Math.min(high, shape[axis])]);
}

export function cutBeyond({ axis, end }, box, wider) {
    const part = wider.map((side) => [...side]);
    part[axis] = end ? [box[axis][1], wider[axis][1]] : [wider[axis][0], box[axis][0]];
    return part;
}

export function liverEnds(classes, shape, beyond, spacing, contact, thinMm) {
    const part = cropVolume(classes, shape, beyond);
    return part.reduce((sum, value) => sum + (value ? 1 : 0), 0) * product(spacing) < thinMm * contact;
}

const median = (values) => {
    const sorted = Float64Array.from(values).sort();
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Whether predicted liver beyond a side has the HU of the liver inside the box, in each phase. */
export function hasLiverHu(image, shape, before, after, beyond, { spacing, liver_hu_ratio, core_mm, phases }) {
    const voxels = count(shape);
    const marks = new Uint8Array(voxels);
    for (let i = 0; i < voxels; i++) marks[i] = before[i] ? 1 : 0;
    const depth = distanceTransform(marks, shape, spacing);
    const liver = [];
    for (let i = 0; i < voxels; i++) if (before[i] === 1) liver.push(i);
    const deep = liver.filter((i) => depth[i] > core_mm);
    const core = deep.length ? deep : liver;
    const added = [];
    for (let a = beyond[0][0]; a < beyond[0][1]; a++) {
        for (let b = beyond[1][0]; b < beyond[1][1]; b++) {
            for (let c = beyond[2][0]; c < beyond[2][1]; c++) {
                const i = (a * shape[1] + b) * shape[2] + c;
                if (after[i] === 1) added.push(i);
            }
        }
    }
    if (!added.length || !liver.length) return false;
    return phases.every((_, p) => {
        const values = core.map((i) => image[p * voxels + i]);
        if (Number.isNaN(values[0])) return true;
        const middle = median(values);
        const tolerance = 2 * 1.4826 * median(values.map((value) => Math.abs(value - middle)));
        const share = (list) => list.filter((value) => Math.abs(value - middle) <= tolerance).length / list.length;
        return share(added.map((i) => image[p * voxels + i])) >= liver_hu_ratio * share(values);
    });
}
