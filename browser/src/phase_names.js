// The phase that a file name means, by the words of dicom/series_text.py.

const fold = (text) =>
    text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "").replaceAll("ß", "ss");

/** Phase of a file name; null if it names none or several. */
export function findPhase(name, { phase_words, late_words }) {
    const text = fold(name.replace(/\.nii(\.gz)?$/i, "")).replace(/(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])/g, " ");
    let rest = ` ${(text.match(/[a-z]+|[0-9]+|[\u3040-\u9fff]+/g) ?? []).join(" ")} `;
    const phases = new Set();
    const words = Object.entries(phase_words).sort(([one], [two]) => two.length - one.length);
    for (const [word, phase] of words) {
        const pattern = word.charCodeAt(0) > 0x3000 ? word : ` ${word} `;
        if (!rest.includes(pattern)) continue;
        phases.add(phase);
        rest = rest.replaceAll(pattern, "  ");
    }
    if (!phases.has("arterial") && late_words.some((word) => rest.includes(` ${word} `))) return "delayed";
    return phases.size === 1 ? [...phases][0] : null;
}

/** Assigns files to phases by their names; a single file without a phase is venous. Returns {phase: file}. */
export function assignPhases(files, settings) {
    const assigned = {};
    for (const file of files) {
        const phase = findPhase(file.name, settings) ?? (files.length === 1 ? "venous" : null);
        if (!phase) throw new Error(`${file.name}: its name has no phase. Drop it on the field of its phase.`);
        if (assigned[phase]) throw new Error(`${assigned[phase].name} and ${file.name} are both the ${phase} phase.`);
        assigned[phase] = file;
    }
    return assigned;
}
