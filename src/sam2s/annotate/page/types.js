/**
 * The shapes of what the server says (see /api/openapi.json) and of what the page knows. Frames count
 * from 0, pixels are the video's.
 *
 * @typedef {{size: [number, number], counts: string}} Rle
 * @typedef {{version: number, presence: number, score: number, class?: string | null, rle: Rle | null,
 *   before?: ShownMask | null}} ShownMask
 * @typedef {{frame: number, time: number | null, masks: Record<string, ShownMask>}} FrameMasks
 * @typedef {{clicks: [number, number, number][], box: [number, number, number, number] | null,
 *   mask: boolean}} GivenPrompts
 * @typedef {[number, number]} Range  first and last frame, both included
 * @typedef {{id: number, name: string | null, colour: [number, number, number],
 *   given: Record<string, GivenPrompts>, absent: Range[], locked: Range[]}} AnnotatedObject
 * @typedef {"queued" | "running" | "paused" | "done" | "cancelled" | "broken" | "interrupted"} RunState
 * @typedef {{version: number, run?: string, state: RunState, visited?: number, steps?: number,
 *   rate?: number | null, seconds_left?: number | null, message?: string | null, objects: number[],
 *   frames: Range, accepted: boolean | null}} Run
 * @typedef {{revision: number, undo: string | null, redo: string | null, objects: AnnotatedObject[],
 *   out_of_body: Range[], runs: Run[]}} Session
 * @typedef {{id: string, name: string, width: number, height: number, fps: number | null,
 *   frames: number, indexed: boolean, index_error: string | null, damage: string | null,
 *   notes: string[]}} Video
 * @typedef {{name: string, keeps: string, reads: boolean, overlap: boolean, polygons: boolean}} Format
 * @typedef {{name: string, folder: string, videos: {id: string, name: string, trouble: string | null}[],
 *   model: {name: string, state: string, loaded: boolean},
 *   classes: {instrument: string[], tissue: string[]}, colours: [number, number, number][],
 *   alarms: {drift: number, double: number}, formats: Format[]}} Project
 * @typedef {{states: Uint8Array, scores: Uint8Array, alarms: Uint8Array}} Lane
 * @typedef {"click" | "box" | "brush" | "eraser" | "polygon" | "pan"} Tool
 *
 * @typedef {object} State
 * @property {Project | null} project
 * @property {Video | null} video
 * @property {Session | null} session
 * @property {Map<number, Lane>} lanes  by object
 * @property {number} frame  the one that is shown
 * @property {FrameMasks | null} masks  of the frame that is shown
 * @property {string | null} broken  why the frame that is shown cannot be read
 * @property {number | null} selected  object that prompts are for; one that does not exist yet is new
 * @property {Set<number>} hidden  objects that are not drawn
 * @property {Tool} tool
 * @property {number} brush  radius in pixels of the video
 * @property {boolean} playing
 * @property {boolean} compare  draw what a run replaced
 * @property {Range | null} range  frames chosen on the timeline
 * @property {Map<number, Run>} progress  of runs under way, by version
 * @property {Map<number, Record<string, number[]>>} memories  by version: object -> frames
 * @property {"saved" | "saving" | "failed"} saved
 * @property {{done: number, of: number} | null} indexing
 */
export {};
