// Others' readers of Zarr, for ../../tests/browser: the packages are installed beside the page's.
export { FetchStore, get, open, root } from "zarrita";
export { NgffImage } from "ome-zarr.js";
