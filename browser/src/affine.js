// Affines are 3 rows of 4 numbers, from voxel indices to RAS mm.

export const columnNorms = (affine) => [0, 1, 2].map((c) => Math.hypot(affine[0][c], affine[1][c], affine[2][c]));

export const apply = (affine, [a, b, c]) => affine.map((row) => row[0] * a + row[1] * b + row[2] * c + row[3]);

export function determinant(m) {
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
        m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
        m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    );
}

export function invert(m) {
    const [[a, b, c], [d, e, f], [g, h, i]] = m;
    const det = determinant(m);
    const inverse = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ].map((row) => row.map((value) => value / det));
    return inverse.map((row) => [...row, -(row[0] * m[0][3] + row[1] * m[1][3] + row[2] * m[2][3])]);
}

/** Affine of index -> `first` -> `second`. */
export function multiply(second, first) {
    return second.map((row) =>
        [0, 1, 2, 3].map(
            (c) => row[0] * first[0][c] + row[1] * first[1][c] + row[2] * first[2][c] + (c === 3 ? row[3] : 0),
        ),
    );
}

/** Affine of a box that starts at these indices. */
export function shiftAffine(affine, start) {
    const origin = apply(affine, start);
    return affine.map((row, r) => [row[0], row[1], row[2], origin[r]]);
}

/** Largest deviation of the axes from right angles, 0 for none. */
export function measureShear(affine) {
    const norms = columnNorms(affine);
    let worst = 0;
    for (const [a, b] of [[0, 1], [0, 2], [1, 2]]) {
        const dot = affine.reduce((sum, row) => sum + row[a] * row[b], 0);
        worst = Math.max(worst, Math.abs(dot / (norms[a] * norms[b])));
    }
    return worst;
}

/** For R, A, S: the voxel axis closest to it and its direction, as nibabel's io_orientation. */
export function orientToRas(affine) {
    const norms = columnNorms(affine);
    const cosines = affine.map((row) => [0, 1, 2].map((c) => row[c] / norms[c]));
    const order = [0, 1, 2].sort(
        (a, b) => Math.max(...cosines.map((r) => Math.abs(r[b]))) - Math.max(...cosines.map((r) => Math.abs(r[a]))),
    );
    const axes = [null, null, null];
    for (const axis of order) {
        let best = -1;
        for (let r = 0; r < 3; r++) {
            if (axes[r] === null && (best < 0 || Math.abs(cosines[r][axis]) > Math.abs(cosines[best][axis]))) best = r;
        }
        axes[best] = { axis, sign: cosines[best][axis] < 0 ? -1 : 1 };
    }
    return axes;
}
