/** Browser APIs that TypeScript 4.8 does not know. */

declare class CompressionStream implements GenericTransformStream {
  constructor(format: "deflate-raw");
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
}

declare class DecompressionStream extends CompressionStream {}

interface CanvasRenderingContext2D {
  roundRect(x: number, y: number, width: number, height: number, radius: number): void;
}
