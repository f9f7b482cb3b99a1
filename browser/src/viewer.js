// Shows a phase with liver and lesions over it, by NiiVue.

import { NVImage, Niivue } from "@niivue/niivue";

const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

export class Viewer {
    /** @param canvas the canvas; @param settings window, classes and colours */
    constructor(canvas, settings) {
        this.canvas = canvas;
        this.settings = settings;
    }

    async start() {
        this.niivue = new Niivue({ isRadiologicalConvention: true, backColor: [0, 0, 0, 1], crosshairWidth: 0.5, logLevel: "error", isOrientCube: false });
        await this.niivue.attachToCanvas(this.canvas);
        this.niivue.setSliceType(this.niivue.sliceTypeMultiplanar);
        // Labels are not mixed at their borders
        this.niivue.setInterpolation(true);
    }

    /** Shows a file, with the labels (a NIfTI file) if there are any. */
    async show(file, labels) {
        for (const volume of [...this.niivue.volumes]) this.niivue.removeVolume(volume);
        const [low, high] = this.settings.window;
        this.niivue.addVolume(await NVImage.loadFromFile({ file, name: file.name, colormap: "gray", cal_min: low, cal_max: high }));
        if (!labels) return;
        const overlay = await NVImage.loadFromFile({ file: new File([labels], "labels.nii"), name: "labels.nii" });
        overlay.setColormapLabel(this.colourMap());
        this.niivue.addVolume(overlay);
    }

    colourMap() {
        const { classes, colours } = this.settings;
        const map = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: [classes[0]] };
        classes.slice(1).forEach((name, n) => {
            const [r, g, b] = channels(colours[name]);
            map.R.push(r);
            map.G.push(g);
            map.B.push(b);
            map.A.push(255);
            map.I.push(n + 1);
            map.labels.push(name);
        });
        return map;
    }

    setOpacity(opacity) {
        if (this.niivue.volumes.length > 1) this.niivue.setOpacity(1, opacity);
    }

    /** Moves the crosshair to a position in RAS mm. */
    moveTo(position) {
        this.niivue.scene.crosshairPos = this.niivue.mm2frac(position);
        this.niivue.drawScene();
    }
}
