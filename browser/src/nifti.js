// Reads NIfTI-1 and NIfTI-2 files, and writes label maps on their grid.

import { columnNorms, determinant } from "./affine.js";

export class FileProblem extends Error {}

const TYPES = {
    2: ["getUint8", 1, Uint8Array],
    4: ["getInt16", 2, Int16Array],
    8: ["getInt32", 4, Int32Array],
    16: ["getFloat32", 4, Float32Array],
    64: ["getFloat64", 8, Float64Array],
    256: ["getInt8", 1, Int8Array],
    512: ["getUint16", 2, Uint16Array],
    768: ["getUint32", 4, Uint32Array],
};

/** Unpacks a gzip file; other content is returned as it is. */
export async function unpack(buffer, name) {
    const start = new Uint8Array(buffer, 0, Math.min(2, buffer.byteLength));
    if (start[0] !== 0x1f || start[1] !== 0x8b) return buffer;
    try {
        const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
        return await new Response(stream).arrayBuffer();
    } catch {
        throw new FileProblem(`${name}: the file is truncated or damaged. Copy or export it again.`);
    }
}

/**
 * Reads a volume.
 *
 * Returns data (Float32Array, HU), shape [Z, Y, X] and affine, whose columns are the axes Z, Y, X.
 */
export function readNifti(buffer, name, settings) {
    const header = readHeader(buffer, name);
    const { view, little, size, offset, type, slope, intercept } = header;
    const total = size[0] * size[1] * size[2];
    const [getter, bytes, ArrayType] = TYPES[type];
    if (buffer.byteLength < offset + total * bytes) {
        throw new FileProblem(`${name}: the file is truncated. Copy or export it again.`);
    }
    const data = new Float32Array(total);
    const [lowest, highest] = settings.hu;
    const sameOrder = little === (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1);
    const raw = sameOrder && offset % bytes === 0 ? new ArrayType(buffer, offset, total) : null;
    let bad = 0;
    for (let i = 0; i < total; i++) {
        const stored = raw ? raw[i] : view[getter](offset + i * bytes, little);
        const value = stored * slope + intercept;
        if (!Number.isFinite(value)) bad++;
        data[i] = Number.isFinite(value) ? Math.min(Math.max(value, lowest), highest) : lowest;
    }
    if (bad >= 0.01 * total) throw new FileProblem(`${name}: ${bad} voxels are not finite. Export it again.`);
    checkHu(data, [size[2], size[1], size[0]], name, settings);
    return { data, shape: [size[2], size[1], size[0]], affine: reverseColumns(header.affine), header };
}

const reverseColumns = (affine) => affine.map((row) => [row[2], row[1], row[0], row[3]]);

function readHeader(buffer, name) {
    const view = new DataView(buffer);
    const sizes = [true, false].map((order) => (buffer.byteLength >= 352 ? view.getInt32(0, order) : 0));
    const little = sizes[0] === 348 || sizes[0] === 540;
    const kind = sizes[little ? 0 : 1];
    if (kind !== 348 && kind !== 540) {
        throw new FileProblem(`${name}: not a NIfTI file. Give a .nii or .nii.gz file.`);
    }
    const first = kind === 348;
    const int16 = (at) => view.getInt16(at, little);
    const float = (at) => (first ? view.getFloat32(at, little) : view.getFloat64(at, little));
    const step = first ? 4 : 8;
    const dims = [...Array(8).keys()].map((i) =>
        first ? int16(40 + 2 * i) : Number(view.getBigInt64(16 + 8 * i, little)),
    );
    const type = int16(first ? 70 : 12);
    const at = first
        ? { pixdim: 76, offset: 108, slope: 112, inter: 116, qcode: 252, scode: 254, quatern: 256, srow: 280 }
        : { pixdim: 104, offset: 168, slope: 176, inter: 184, qcode: 344, scode: 348, quatern: 352, srow: 400 };
    const code = (place) => (first ? int16(place) : view.getInt32(place, little));
    if (dims[0] < 3 || dims.slice(4, dims[0] + 1).some((n) => n > 1)) {
        throw new FileProblem(`${name}: the volume is not 3-D. Give each phase as a file of its own.`);
    }
    if (!(type in TYPES)) throw new FileProblem(`${name}: voxels of this type are not CT numbers. Export as int16.`);
    const [q, s] = [code(at.qcode), code(at.scode)];
    if (q <= 0 && s <= 0) {
        throw new FileProblem(`${name}: the header has no orientation, so left and right are unknown. Export it again.`);
    }
    const pixdim = [0, 1, 2, 3].map((i) => float(at.pixdim + step * i));
    const affine = s > 0
        ? [0, 1, 2].map((r) => [0, 1, 2, 3].map((c) => float(at.srow + step * (4 * r + c))))
        : readQuaternion([...Array(6).keys()].map((i) => float(at.quatern + step * i)), pixdim);
    const slope = float(at.slope);
    const scaled = Number.isFinite(slope) && slope !== 0;
    const header = {
        view, little, type, affine, size: dims.slice(1, 4),
        offset: first ? view.getFloat32(at.offset, little) : Number(view.getBigInt64(at.offset, little)),
        slope: scaled ? slope : 1,
        intercept: scaled ? float(at.inter) : 0,
    };
    checkGeometry(header, name);
    return header;
}

function readQuaternion([b, c, d, x, y, z], pixdim) {
    const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
    const factor = pixdim[0] < 0 ? -1 : 1;
    const [dx, dy, dz] = [pixdim[1], pixdim[2], pixdim[3] * factor];
    return [
        [(a * a + b * b - c * c - d * d) * dx, 2 * (b * c - a * d) * dy, 2 * (b * d + a * c) * dz, x],
        [2 * (b * c + a * d) * dx, (a * a + c * c - b * b - d * d) * dy, 2 * (c * d - a * b) * dz, y],
        [2 * (b * d - a * c) * dx, 2 * (c * d + a * b) * dy, (a * a + d * d - b * b - c * c) * dz, z],
    ];
}

function checkGeometry({ affine, size }, name) {
    if (affine.flat().some((value) => !Number.isFinite(value)) || Math.abs(determinant(affine)) < 1e-9) {
        throw new FileProblem(`${name}: the affine is singular or not finite. Export it again.`);
    }
    if (Math.min(...size) < 8) throw new FileProblem(`${name}: fewer than 8 slices. Give the whole volume.`);
    const spacing = columnNorms(affine);
    if (Math.min(...spacing) < 0.2 || Math.max(...spacing) > 15) {
        throw new FileProblem(`${name}: spacing ${spacing.map((v) => v.toFixed(2))} mm. Check the unit of the spacing.`);
    }
}

function checkHu(data, [depth, rows, columns], name, { hu }) {
    const bins = new Uint32Array(hu[1] - hu[0] + 1);
    let total = 0;
    for (let k = 0; k < depth; k += 2) {
        for (let j = 0; j < rows; j += 2) {
            for (let i = 0; i < columns; i += 2, total++) {
                bins[Math.round(data[(k * rows + j) * columns + i] - hu[0])]++;
            }
        }
    }
    const percentile = (share) => {
        let sum = 0;
        return bins.findIndex((n) => (sum += n) >= share * total) + hu[0];
    };
    const [low, high] = [percentile(0.005), percentile(0.995)];
    if (low > -20 || high < 50) {
        throw new FileProblem(
            `${name}: the values are not HU (0.5 % below ${low}, 0.5 % above ${high}). Give a CT in HU.`,
        );
    }
}

/** Writes labels 0..255 (Uint8Array, X fastest) as a NIfTI-1 file on the grid of a volume. */
export function writeLabels(labels, header) {
    const file = new ArrayBuffer(352 + labels.length);
    const view = new DataView(file);
    view.setInt32(0, 348, true);
    [3, ...header.size, 1, 1, 1, 1].forEach((n, i) => view.setInt16(40 + 2 * i, n, true));
    view.setInt16(70, 2, true);
    view.setInt16(72, 8, true);
    [1, ...columnNorms(header.affine)].forEach((n, i) => view.setFloat32(76 + 4 * i, n, true));
    view.setFloat32(108, 352, true);
    view.setFloat32(112, 1, true);
    view.setUint8(123, 2);
    view.setInt16(254, 1, true);
    header.affine.flat().forEach((n, i) => view.setFloat32(280 + 4 * i, n, true));
    [..."n+1\0"].forEach((c, i) => view.setUint8(344 + i, c.charCodeAt(0)));
    new Uint8Array(file, 352).set(labels);
    return file;
}
