// Sections of a box of voxels as pixels.

export type Axis = "z" | "y" | "x";
export type Zyx = Readonly<Record<Axis, number>>;

/** A section: which axis goes to the right, which down, and along which it is scrolled. */
export interface Plane {
  name: string;
  across: Axis;
  down: Axis;
  normal: Axis;
}

export const planes: readonly Plane[] = [
  { name: "xy", across: "x", down: "y", normal: "z" },
  { name: "yz", across: "z", down: "y", normal: "x" },
  { name: "xz", across: "x", down: "z", normal: "y" },
];

export interface Look {
  isOverlayShown: boolean;
  /** Of the fill, 0 to 1; outlines are drawn full. */
  opacity: number;
  /** Grey values drawn black and white. */
  black: number;
  white: number;
}

export const overlayColor = [255, 160, 32] as const;

const strides = (shape: Zyx): Zyx => ({ z: shape.y * shape.x, y: shape.x, x: 1 });

/** RGBA of the section through `position`, row by row; `inside`: 1 where the overlay is. */
export function drawSlice(plane: Plane, position: Zyx, shape: Zyx, raw: Uint8Array, inside: Uint8Array, look: Look): Uint8ClampedArray<ArrayBuffer> {
  const [width, height] = [shape[plane.across], shape[plane.down]];
  const stride = strides(shape);
  const [right, down] = [stride[plane.across], stride[plane.down]];
  const first = position[plane.normal] * stride[plane.normal];
  const pixels = new Uint8ClampedArray(4 * width * height);
  const contrast = 255 / Math.max(1, look.white - look.black);
  for (let row = 0; row < height; ++row)
    for (let column = 0; column < width; ++column) {
      const voxel = first + row * down + column * right;
      const grey = (raw[voxel]! - look.black) * contrast;
      const pixel = 4 * (row * width + column);
      let weight = 0;
      if (look.isOverlayShown && inside[voxel] === 1) {
        // At the face of the box the outline is open: nobody knows how it goes on.
        const isOutline =
          (column > 0 && inside[voxel - right] === 0) ||
          (column < width - 1 && inside[voxel + right] === 0) ||
          (row > 0 && inside[voxel - down] === 0) ||
          (row < height - 1 && inside[voxel + down] === 0);
        weight = isOutline ? 1 : look.opacity;
      }
      for (let channel = 0; channel < 3; ++channel)
        pixels[pixel + channel] = Math.min(255, Math.max(0, grey)) * (1 - weight) + overlayColor[channel]! * weight;
      pixels[pixel + 3] = 255;
    }
  return pixels;
}

/** The longest of 1, 2, 5, 10, 20, ... nm that takes at most a third of `extentNm`. */
export function scaleBarNm(extentNm: number): number {
  const most = extentNm / 3;
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((step) => step * power).find((length) => length <= most * (1 + 1e-9)) ?? power;
}

export const middleOf = (shape: Zyx): Zyx => ({ z: Math.floor(shape.z / 2), y: Math.floor(shape.y / 2), x: Math.floor(shape.x / 2) });

/** `position` moved by `steps` voxels along `axis`, inside the box. */
export const moved = (position: Zyx, axis: Axis, steps: number, shape: Zyx): Zyx => ({
  ...position,
  [axis]: Math.min(shape[axis] - 1, Math.max(0, position[axis] + steps)),
});
