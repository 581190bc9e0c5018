import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "../views/styles.css";
import "./training.css";
import { TrainingPage } from "./TrainingPage.tsx";

createRoot(document.getElementById("page")!).render(
  <StrictMode>
    <TrainingPage />
  </StrictMode>,
);
