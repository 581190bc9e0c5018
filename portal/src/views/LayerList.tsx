import type { Layer, PortalIndex } from "../data/portal_index.ts";
import { colorOfClass, coloringOf, layerState } from "../state/scene.ts";
import type { Coloring, LayerState, ViewState } from "../state/view_state.ts";

interface Props {
  index: PortalIndex;
  view: ViewState;
  onLayer(name: string, state: LayerState): void;
  onColoring(coloring: Coloring): void;
}

const kinds: Readonly<Record<Layer["role"], string>> = { raw: "Raw", prediction: "Predictions", segmentation: "Objects" };

function LayerRow({ layer, color, state, onChange }: { layer: Layer; color: string | undefined; state: LayerState; onChange(state: LayerState): void }) {
  return (
    <li className={state.visible ? "layer" : "layer off"}>
      <label className="switch">
        <input type="checkbox" checked={state.visible} onChange={(event) => onChange({ ...state, visible: event.target.checked })} />
        <span className="swatch" style={color === undefined ? undefined : { background: color }} aria-hidden="true" />
        <span className="name">{layer.name}</span>
      </label>
      <input
        type="range"
        min={0}
        max={1}
        step={0.05}
        value={state.opacity}
        disabled={!state.visible}
        aria-label={`Opacity of ${layer.name}`}
        title={`Opacity ${Math.round(state.opacity * 100)} %`}
        onChange={(event) => onChange({ ...state, opacity: Number(event.target.value) })}
      />
    </li>
  );
}

/** Every layer with a switch and its opacity, by kind. */
export function LayerList({ index, view, onLayer, onColoring }: Props) {
  const coloring = coloringOf(index, view);
  return (
    <section className="card" aria-labelledby="layers-title">
      <div className="card-head">
        <h2 id="layers-title">Layers</h2>
        <div className="choice small" role="group" aria-label="Colour of objects">
          {(["class", "object"] as const).map((item) => (
            <button key={item} type="button" aria-pressed={coloring === item} onClick={() => onColoring(item)}>
              Colour by {item}
            </button>
          ))}
        </div>
      </div>
      <div className="layers">
        {(["raw", "segmentation", "prediction"] as const).map((role) => {
          const layers = index.layers.filter((layer) => layer.role === role);
          if (layers.length === 0) return null;
          return (
            <div key={role} className="layer-group">
              <h3>{kinds[role]}</h3>
              <ul>
                {layers.map((layer) => (
                  <LayerRow
                    key={layer.name}
                    layer={layer}
                    color={layer.role === "raw" ? undefined : colorOfClass(index, layer.class)}
                    state={layerState(view, layer)}
                    onChange={(state) => onLayer(layer.name, state)}
                  />
                ))}
              </ul>
            </div>
          );
        })}
      </div>
    </section>
  );
}
