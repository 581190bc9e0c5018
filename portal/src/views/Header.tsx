import { useState } from "react";
import type { PortalIndex } from "../data/portal_index.ts";
import { formatLengthNm, formatNumber } from "../data/units.ts";
import type { Layout } from "../viewer/viewer_api.ts";

const layouts: readonly { layout: Layout; label: string; title: string }[] = [
  { layout: "4panel-alt", label: "Four panels", title: "Three sections and the surfaces" },
  { layout: "xy", label: "Section", title: "One section, xy" },
  { layout: "3d", label: "Surfaces", title: "The surfaces alone" },
];

interface Props {
  index: PortalIndex;
  layout: Layout;
  onLayout(layout: Layout): void;
  onHome(): void;
}

export function Header({ index, layout, onLayout, onHome }: Props) {
  const [copied, setCopied] = useState(false);
  const { voxelSizeNm: voxel, shape } = index;
  const size = (["x", "y", "z"] as const).map((axis) => formatLengthNm(shape[axis] * voxel[axis]));
  const share = async () => {
    try {
      await navigator.clipboard.writeText(window.location.href);
    } catch {
      // Without a secure context there is no clipboard; the address bar holds the same link.
      window.prompt("Link to this view", window.location.href);
      return;
    }
    setCopied(true);
    window.setTimeout(() => setCopied(false), 1600);
  };
  return (
    <header className="top">
      <div className="title">
        <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
          <circle cx="16" cy="16" r="15" />
          <path d="M7.5 17.5c3-8 6 7 9-1s5.500 3 8-2" />
        </svg>
        <div>
          <h1>{index.name}</h1>
          <p>
            {size.join(" × ")} <span className="faint">x × y × z</span> · voxel {[voxel.x, voxel.y, voxel.z].map((extent) => formatNumber(extent)).join(" × ")} nm
          </p>
        </div>
      </div>
      <div className="tools">
        <div className="choice" role="group" aria-label="Panels">
          {layouts.map((item) => (
            <button
              key={item.layout}
              type="button"
              title={item.title}
              aria-pressed={layout === item.layout}
              onClick={() => onLayout(item.layout)}
            >
              {item.label}
            </button>
          ))}
        </div>
        <button type="button" className="plain" onClick={onHome} title="The whole volume in view, nothing chosen">
          Whole cell
        </button>
        <button type="button" className="primary" onClick={share}>
          <span aria-live="polite">{copied ? "Link copied" : "Copy link"}</span>
        </button>
      </div>
    </header>
  );
}
