// Arrays of voxels: {data, shape: [A, B, C]}, C varies fastest. Volumes of a NIfTI file therefore have the
// axes Z, Y, X, those of the network X, Y, Z. The columns of an affine are in the order of the axes.

export const count = (shape) => shape[0] * shape[1] * shape[2];

export const boxShape = (box) => box.map(([start, stop]) => stop - start);

/** Calls visit(offset of the box's row, offset of the volume's row, length) for each row of a box. */
export function visitRows(shape, box, visit) {
    const [[a0, a1], [b0, b1], [c0, c1]] = box;
    const length = c1 - c0;
    let row = 0;
    for (let a = a0; a < a1; a++) {
        for (let b = b0; b < b1; b++, row += length) {
            visit(row, (a * shape[1] + b) * shape[2] + c0, length);
        }
    }
}

/** Copies a box of a volume. */
export function cropVolume(data, shape, box) {
    const part = new data.constructor(count(boxShape(box)));
    visitRows(shape, box, (row, offset, length) => part.set(data.subarray(offset, offset + length), row));
    return part;
}

/** Places the voxels of a box in a volume. */
export function placeVolume(part, box, volume, shape) {
    visitRows(shape, box, (row, offset, length) => volume.set(part.subarray(row, row + length), offset));
    return volume;
}

/** Bounding box of the voxels for which `test` is true; null if there are none. */
export function findBox(data, shape, test) {
    const low = [...shape];
    const high = [-1, -1, -1];
    let i = 0;
    for (let a = 0; a < shape[0]; a++) {
        for (let b = 0; b < shape[1]; b++) {
            let first = -1;
            let last = -1;
            for (let c = 0; c < shape[2]; c++, i++) {
                if (test(data[i])) {
                    if (first < 0) first = c;
                    last = c;
                }
            }
            if (first >= 0) {
                low[0] = Math.min(low[0], a);
                high[0] = a;
                low[1] = Math.min(low[1], b);
                high[1] = Math.max(high[1], b);
                low[2] = Math.min(low[2], first);
                high[2] = Math.max(high[2], last);
            }
        }
    }
    return high[0] < 0 ? null : low.map((start, axis) => [start, high[axis] + 1]);
}

export const isSet = (value) => value !== 0;

/** Widens a box by `more` voxels along each axis, within the volume. */
export const widenBox = (box, more, shape) =>
    box.map(([start, stop], axis) => [Math.max(start - more[axis], 0), Math.min(stop + more[axis], shape[axis])]);
