// The class map on the grid of the file, slice by slice, as inference/native_grid.py.
//
// All channels on a native grid would take gigabytes. Each slice is interpolated when it is needed.

import { columnNorms, multiply, invert, shiftAffine } from "./affine.js";
import { boxShape, count, findBox, widenBox } from "./volume.js";

/** Box of the network's grid that contains liver and lesions, with the margin of the diagnosis. */
function examinedBox(maps, box, shape, spacing, channels, { reach_mm: reachMm, lesion_threshold, faint_threshold }) {
    const inner = boxShape(box);
    const voxels = count(inner);
    const sums = new Float32Array(voxels);
    for (let p = 1; p < channels; p++) {
        for (let i = 0; i < voxels; i++) sums[i] += maps[p * voxels + i];
    }
    const limit = Math.min(lesion_threshold, faint_threshold, 0.5);
    const marks = Uint8Array.from(sums, (sum) => (sum < limit ? 0 : 1));
    const found = findBox(marks, inner, (value) => value !== 0);
    const placed = found ? found.map((side, axis) => side.map((end) => end + box[axis][0])) : [[0, 1], [0, 1], [0, 1]];
    return widenBox(placed, spacing.map((step) => 1 + Math.ceil(reachMm / step)), shape);
}

/** Box of the native grid that contains a box of the network's grid. */
function transferBox(box, chain, shape) {
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    for (let corner = 0; corner < 8; corner++) {
        const ends = box.map(([start, stop], axis) => ((corner >> axis) & 1 ? stop : start) - 0.5);
        chain.forEach((row, r) => {
            const at = row[0] * ends[0] + row[1] * ends[1] + row[2] * ends[2] + row[3];
            low[r] = Math.min(low[r], at);
            high[r] = Math.max(high[r], at);
        });
    }
    return low.map((value, r) => [
        Math.min(Math.max(Math.floor(value), 0), shape[r] - 1),
        Math.max(Math.min(Math.ceil(high[r]) + 1, shape[r]), 1),
    ]);
}

export class NativeMaps {
    /**
     * @param maps (C, *box) probabilities on the network's grid
     * @param box where they lie on that grid; outside is background
     * @param grid {affine, shape} of the network
     * @param native {affine, shape} of the file
     */
    constructor(maps, box, grid, native, settings) {
        this.channels = settings.classes.length;
        const examined = examinedBox(maps, box, grid.shape, columnNorms(grid.affine), this.channels, settings);
        this.part = this.cropMaps(maps, box, examined);
        this.partShape = boxShape(examined);
        this.box = transferBox(examined, multiply(invert(native.affine), grid.affine), native.shape);
        this.shape = boxShape(this.box);
        this.affine = shiftAffine(native.affine, this.box.map(([start]) => start));
        this.spacing = columnNorms(native.affine);
        this.lines = this.makeLines(multiply(invert(shiftAffine(grid.affine, examined.map(([start]) => start))), this.affine));
    }

    cropMaps(maps, box, examined) {
        const [inner, size] = [boxShape(box), boxShape(examined)];
        const voxels = count(inner);
        const part = Array.from({ length: this.channels }, (_, p) => new Float32Array(count(size)).fill(p ? 0 : 1));
        for (let a = 0, i = 0; a < size[0]; a++) {
            for (let b = 0; b < size[1]; b++) {
                for (let c = 0; c < size[2]; c++, i++) {
                    const at = [a, b, c].map((n, axis) => n + examined[axis][0] - box[axis][0]);
                    if (at.some((n, axis) => n < 0 || n >= inner[axis])) continue;
                    const source = (at[0] * inner[1] + at[1]) * inner[2] + at[2];
                    for (let p = 0; p < this.channels; p++) part[p][i] = maps[p * voxels + source];
                }
            }
        }
        return part;
    }

    /** For each native axis: offsets of the two neighbours on the network's grid and the share of the second. */
    makeLines(chain) {
        const strides = [this.partShape[1] * this.partShape[2], this.partShape[2], 1];
        return this.shape.map((n, t) => {
            const column = [0, 1, 2].map((s) => Math.abs(chain[s][t]));
            const s = column.indexOf(Math.max(...column));
            const size = this.partShape[s];
            const line = { low: new Int32Array(n), high: new Int32Array(n), share: new Float32Array(n) };
            for (let k = 0; k < n; k++) {
                const index = Math.min(Math.max(chain[s][t] * k + chain[s][3], 0), size - 1);
                const low = Math.min(Math.floor(index), Math.max(size - 2, 0));
                line.low[k] = low * strides[s];
                line.high[k] = Math.min(low + 1, size - 1) * strides[s];
                line.share[k] = index - low;
            }
            return line;
        });
    }

    /** Calls visit(first voxel of the slice, probabilities of its voxels by class) for each slice of the box. */
    visitSlices(visit) {
        const [depth, rows, columns] = this.shape;
        const [outer, middle, inner] = this.lines;
        const slices = this.part.map(() => new Float32Array(rows * columns));
        for (let a = 0; a < depth; a++) {
            const share = outer.share[a];
            this.part.forEach((map, p) => {
                const slice = slices[p];
                const mix = (at) => map[at + outer.low[a]] * (1 - share) + map[at + outer.high[a]] * share;
                for (let b = 0, i = 0; b < rows; b++) {
                    const [low, high, v] = [middle.low[b], middle.high[b], middle.share[b]];
                    for (let c = 0; c < columns; c++, i++) {
                        const w = inner.share[c];
                        const first = mix(low + inner.low[c]) * (1 - w) + mix(low + inner.high[c]) * w;
                        const second = mix(high + inner.low[c]) * (1 - w) + mix(high + inner.high[c]) * w;
                        slice[i] = first * (1 - v) + second * v;
                    }
                }
            });
            visit(a * rows * columns, slices);
        }
    }
}
