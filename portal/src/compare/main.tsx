import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ComparePage } from "./ComparePage.tsx";
import "../views/styles.css";
import "./compare.css";

createRoot(document.getElementById("page")!).render(
  <StrictMode>
    <ComparePage />
  </StrictMode>,
);
