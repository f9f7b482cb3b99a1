// Finds the box of the liver in a coarse pass and predicts in it, as inference/liver_window_inferer.py.

import * as sides from "./box_sides.js";
import { countLabels, countSet, fillHoles, labelComponents, limitLength, liverRegion, selectLabel } from "./morphology.js";
import { boxShape, count, cropVolume, findBox, isSet, placeVolume } from "./volume.js";
import { runWindows, windowStep } from "./windows.js";

const product = (values) => values.reduce((a, b) => a * b, 1);

/** Class of largest probability; the first of equal ones. */
export function argmax(maps, voxels, channels) {
    const classes = new Uint8Array(voxels);
    const highest = maps.slice(0, voxels);
    for (let p = 1; p < channels; p++) {
        for (let i = 0; i < voxels; i++) {
            if (maps[p * voxels + i] > highest[i]) {
                highest[i] = maps[p * voxels + i];
                classes[i] = p;
            }
        }
    }
    return classes;
}

function liverClasses(maps, shape, channels) {
    const classes = argmax(maps, count(shape), channels);
    const region = liverRegion(classes, shape);
    return classes.map((value, i) => (region[i] ? value : 0));
}

function averagePool(image, channels, shape, factor) {
    const small = shape.map((n) => Math.floor(n / factor));
    const pooled = new Float32Array(channels * count(small));
    let i = 0;
    for (let p = 0; p < channels; p++) {
        for (let a = 0; a < small[0]; a++) {
            for (let b = 0; b < small[1]; b++) {
                for (let c = 0; c < small[2]; c++, i++) {
                    let sum = 0;
                    for (let x = a * factor; x < (a + 1) * factor; x++) {
                        for (let y = b * factor; y < (b + 1) * factor; y++) {
                            const row = ((p * shape[0] + x) * shape[1] + y) * shape[2];
                            for (let z = c * factor; z < (c + 1) * factor; z++) sum += image[row + z];
                        }
                    }
                    pooled[i] = sum / factor ** 3;
                }
            }
        }
    }
    return { pooled, small };
}

export class LiverWindows {
    /**
     * @param image (P, *shape), absent phases NaN
     * @param network see runWindows
     * @param settings of the inferer
     */
    constructor(image, shape, network, settings) {
        Object.assign(this, { image, shape, network, settings });
        this.step = windowStep(settings.roi_size);
        this.margin = settings.spacing.map((step) => Math.ceil(settings.margin_mm / step));
        this.extension = settings.spacing.map((step) => Math.ceil(settings.extension_mm / (step * this.step)) * this.step);
        this.voxelMm3 = product(settings.spacing);
    }

    /** Returns the box and its map (C, *box); outside the box all is background. */
    async predict() {
        let best = null;
        for await (const box of this.proposeBoxes()) {
            const maps = await this.predictBox(box);
            const size = countSet(liverClasses(maps, boxShape(box), this.settings.classes.length)) * this.voxelMm3;
            if (size > (best?.size ?? 0)) best = { box, maps, size };
            if (size >= this.settings.least_ml * 1000) break;
        }
        if (best) return this.extendToLiver(best);
        const box = this.shape.map((n) => [0, n]);
        return { box, maps: await this.predictBox(box) };
    }

    predictBox(box) {
        const voxels = count(this.shape);
        const shape = boxShape(box);
        const part = new Float32Array(this.settings.phases.length * count(shape));
        this.settings.phases.forEach((_, p) => {
            part.set(cropVolume(this.image.subarray(p * voxels, (p + 1) * voxels), this.shape, box), p * count(shape));
        });
        return runWindows(part, shape, this.network, this.settings);
    }

    async *proposeBoxes() {
        const { coarse } = this.settings;
        if (!coarse || Math.min(...this.shape) < 2 * coarse) return;
        for (const factor of coarse > 1 ? [coarse, 1] : [1]) {
            for (const box of await this.coarseBoxes(factor)) yield this.addMargin(box);
        }
    }

    async coarseBoxes(factor) {
        const { spacing, longest_mm, least_ml, phases, classes } = this.settings;
        const steps = spacing.map((step) => step * factor);
        const { pooled, small } = averagePool(this.image, phases.length, this.shape, factor);
        const maps = await runWindows(pooled, small, this.network, this.settings);
        const parts = labelComponents(argmax(maps, count(small), classes.length), small);
        const sizes = countLabels(parts);
        const least = (least_ml * 1000) / product(steps);
        const boxes = [];
        const order = [...sizes.keys()].filter((number) => sizes[number]).sort((a, b) => sizes[b] - sizes[a]);
        for (const number of order) {
            const part = fillHoles(selectLabel(parts.labels, number), small);
            if (countSet(part) < least) break;
            const region = limitLength(part, small, steps, longest_mm);
            const box = findBox(region, small, isSet);
            if (box && countSet(region) >= least) boxes.push(box.map((side) => side.map((end) => end * factor)));
        }
        return boxes;
    }

    addMargin(box) {
        return box.map(([start, stop], axis) => {
            const [low, high] = [start - this.margin[axis], stop + this.margin[axis]];
            const more = (this.step - ((high - low) % this.step)) % this.step;
            const before = Math.floor(more / 2);
            return [Math.max(low - before, 0), Math.min(high + more - before, this.shape[axis])];
        });
    }

    async extendToLiver({ box, maps }) {
        const refused = new Set();
        const { settings, shape } = this;
        const channels = settings.classes.length;
        for (let round = 0; round < settings.extensions; round++) {
            const before = liverClasses(maps, boxShape(box), channels);
            const mask = before.map((value) => (value ? 1 : 0));
            const touched = sides
                .touchedSides(mask, box, shape, settings.spacing, settings.contact_cm2)
                .filter(({ key }) => !refused.has(key));
            if (!touched.length) break;
            let wider = sides.extendBox(box, touched, this.extension, shape);
            let widerMaps = await this.predictBox(wider);
            const placed = placeVolume(before, box, new Uint8Array(count(shape)), shape);
            const after = placeVolume(liverClasses(widerMaps, boxShape(wider), channels), wider, new Uint8Array(count(shape)), shape);
            const accepted = touched.filter((side) => this.continues(side, box, wider, mask, placed, after));
            for (const side of touched) if (!accepted.includes(side)) refused.add(side.key);
            if (!accepted.length) break;
            if (accepted.length < touched.length) {
                wider = sides.extendBox(box, accepted, this.extension, shape);
                widerMaps = await this.predictBox(wider);
            }
            [box, maps] = [wider, widerMaps];
        }
        return { box, maps };
    }

    continues(side, box, wider, mask, before, after) {
        const { settings, shape } = this;
        const beyond = sides.cutBeyond(side, box, wider);
        const inner = boxShape(box);
        const area = sides.contactMm2(mask, inner, side, settings.spacing);
        return (
            sides.liverEnds(after, shape, beyond, settings.spacing, area, settings.thin_mm) ||
            (sides.contactDiameterMm(mask, inner, side, settings.spacing) >= settings.contact_diameter_mm &&
                sides.hasLiverHu(this.image, shape, before, after, beyond, settings))
        );
    }
}
