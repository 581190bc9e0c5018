#include "organon/app/stage_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "organon/app/find_portal.h"
#include "organon/base/error.h"
#include "organon/stages/analysis/distance_map.h"
#include "organon/stages/analysis/measure_objects.h"
#include "organon/stages/evaluation/choose_networks.h"
#include "organon/stages/evaluation/score_classes.h"
#include "organon/stages/evaluation/score_segmentation.h"
#include "organon/stages/ground_truth/make_targets.h"
#include "organon/stages/ingest/convert_dataset.h"
#include "organon/stages/ingest/export_volume.h"
#include "organon/stages/ingest/import_stack.h"
#include "organon/stages/ingest/mask_sample.h"
#include "organon/stages/phantom/make_phantom.h"
#include "organon/stages/publish/build_pyramid.h"
#include "organon/stages/publish/mesh_objects.h"
#include "organon/stages/publish/publish_atlas.h"
#include "organon/stages/refinement/edit_labels.h"
#include "organon/stages/refinement/fill_holes.h"
#include "organon/stages/refinement/restrict_labels.h"
#include "organon/stages/segmentation/agglomerate_fragments.h"
#include "organon/stages/segmentation/make_fragments.h"
#include "organon/stages/segmentation/segment_objects.h"
#include "organon/storage/volumes/volume_source.h"
#ifdef ORGANON_WITH_NN
#include "organon/stages/prediction/predict_volume.h"
#include "organon/stages/training/preview_samples.h"
#include "organon/stages/training/train_network.h"
#endif

namespace organon::app {
namespace {

template <class Options>
BoundOptions bound() {
  auto options = std::make_shared<Options>();
  BoundOptions result;
  options->bind(result.table);
  result.owner = std::move(options);
  return result;
}

BoundOptions publish_options() {
  auto options = std::make_shared<organon::stages::PublishOptions>();
  options->portal_folder = find_portal().string();
  BoundOptions result;
  options->bind(result.table);
  result.owner = std::move(options);
  return result;
}

std::filesystem::path scores_text(const blockwise::StageDescription& description) {
  return std::filesystem::path(description.outputs.front()).replace_extension(".txt");
}

std::filesystem::path cuts_text(const blockwise::StageDescription& description) {
  return storage::parse_address(description.outputs.front()).path / "cuts.txt";
}

std::filesystem::path mask_text(const blockwise::StageDescription& description) {
  return stages::mask_file(description.outputs.front(), ".txt");
}

std::filesystem::path choice_text(const blockwise::StageDescription& description) {
  return storage::parse_address(description.outputs.front()).path / "choice.txt";
}

#ifdef ORGANON_WITH_NN
std::string train_explanation() {
  return "--accumulate N runs a batch in N parts, one after the other: the same step in less memory (of a "
         "GPU, "
         "where\n"
         "each part normalises by itself). --processes N shares each batch among N processes, one per GPU or "
         "group of\n"
         "cores; the batch is a multiple of N, on processors best of 2 N. In a Slurm job of several nodes "
         "they "
         "run on all\n"
         "of them, as many on each; GLOO_SOCKET_IFNAME names the network interface, if need be:\n\n"
         "  organon train crop.n5/raw crop.n5/targets networks/mito --classes mito --batch 16 --processes 4\n"
         "  organon train crop.n5/raw crop.n5/targets networks/mito --classes mito --batch 16 --processes 8\n"
         "    --engine slurm --sbatch-args \"--nodes 2 --ntasks-per-node 4 --gres gpu:4\"\n\n"
         "A network.organon after the pairs is where the weights start from, to teach a trained network "
         "one's "
         "own data\nwith little of it: its topology is taken, and classes of the same name keep their "
         "outputs:\n\n"
         "  organon train crop.n5/raw crop.n5/targets models/mito_10nm.organon networks/mine --classes mito"
         "\n\nWatch it, while it trains and afterwards, in the browser:\n\n  organon serve networks/mito";
}

std::filesystem::path samples_text(const blockwise::StageDescription& description) {
  return std::filesystem::path(description.outputs.front()).replace_extension(".txt");
}

std::string samples_explanation() {
  return "Takes what train takes, and draws the samples that train with the same inputs and options will\n"
         "learn from: row i is the first one of step i. SHEET ends in .png; SHEET.json (columns, colours,\n"
         "shares of voxels) and SHEET.txt lie beside it. Of each sample the slice in its middle is shown.\n"
         "Columns:\n\n"
         "  1    raw as the network gets it: contrast, turns and mirrors of the options included\n"
         "  2    raw with the outlines of all classes, in the colours of the band above, which are in the\n"
         "       order of --classes; darkened where no class has a say; a white frame around what is\n"
         "       predicted, where that is less than what is seen\n"
         "  3..  targets, a class each, in the order of --classes, below a band of the colour of the "
         "outline:\n"
         "       red inside, blue outside, paler towards the boundary; hatched where the class has no say;\n"
         "       dark raw where nothing is predicted";
}
#endif

VerbChain segment_by_watershed() {
  return {
      "watershed",
      "tell objects apart where they touch: watershed, then agglomerate",
      "Without --watershed an object is what hangs together where the prediction is at least --threshold\n"
      "(grey levels, 0 to 255; 127 is the predicted boundary).\n\n"
      "With --watershed two stages run. The first cuts what is at least --foreground-threshold (grey "
      "levels)\n"
      "into fragments, one around each summit, in the dataset OUT_fragments. The second merges fragments\n"
      "into the objects of OUT while 1 - (depth of their interface, from 0 to 1) is below --threshold (0 to\n"
      "1: a higher one merges more; 0, or none: it chooses by itself). The same command with another\n"
      "--threshold or --quantile runs only the second, which takes seconds. The verbs watershed and\n"
      "agglomerate are these two stages, each by itself.",
      "segment cell.n5/predictions/mito cell.n5/labels/mito --watershed --quantile 25 --threshold 0.975",
      {{"watershed", "_fragments", {{"threshold", "foreground_threshold"}}}, {"agglomerate"}}};
}

std::string convert_explanation() {
  return "SOURCE and OUT are addresses: [format://][store://]path[#channel], such as cell.n5/raw/s0,\n"
         "zarr3://s3://bucket/cell.zarr/raw, precomputed://cell/raw, https://host/cell.n5/raw#1. Formats are "
         "n5,\n"
         "zarr (version 2), zarr3 and precomputed: told by what is there, for OUT by an ending such as .n5, "
         "or by\n"
         "the prefix. Stores are files, s3://bucket (credentials as of the AWS tools), http(s):// and "
         "gs://bucket\n"
         "(to read). A group is converted with all of its levels and with its colours and contrast; of an "
         "array\n"
         "with channels all go along, or the one behind the #. --shard-shape makes zarr3 and precomputed "
         "write\n"
         "many chunks into one file; a block is a shard then, and is held in memory whole.";
}

std::string import_explanation() {
  return "VOLUME is one of\n" + storage::volume_formats_help() +
         "Voxel size and offset are what the file states, unless options give them. Where it names no unit "
         "(MetaImage\nnever does), --length-unit does; where it states no voxel size, --voxel-size-nm must. "
         "Voxels are taken as\nthey are stored: a header that turns or mirrors axes gives no offset. A file "
         "that is one compressed stream\n(.nii.gz, .mrc.gz, NRRD with gzip, compressed MetaImage) is read by "
         "one worker, in order.";
}

std::string evaluate_explanation() {
  return "OUT ends in .json; OUT.csv, OUT.txt and OUT.png lie beside it. Distances are in nm, rates and F1 "
         "from 0\n"
         "to 1, variation of information in bits; a score that is undefined is null.\n\n"
         "--instances true matches objects and adds their F1, splits and merges (bits), Hausdorff distances "
         "(nm).\n"
         "--dataset, --crop, --setup, --family, --iteration, --path, --raw-dataset, --raw-voxel-size-nm and "
         "--refined\n"
         "only name what is evaluated, for the verb choose:\n\n"
         "  organon evaluate setup03/625000.n5/ribo crop113/labels scores/ribo_03_625k_113.json --ids 34\n"
         "    --truth-expand-nm 8 --class-name ribo --dataset hela-2 --crop 113 --setup setup03 --family "
         "many\n"
         "    --iteration 625000 --raw-voxel-size-nm 4";
}

VerbChain evaluate_all_classes() {
  return {
      "all-classes",
      "score all classes of a group of predictions at once",
      "With --all-classes SEGMENTATION is a group of predictions, a dataset per class, and OUT.json has a "
      "row for\n"
      "each of --classes of which TRUTH holds a voxel. Many checkpoints of many networks, on many crops: "
      "organon run\n"
      "study.toml predicts, scores and chooses; of a training that exists a set-up says  network = "
      "\"FOLDER\".",
      "evaluate predictions/625000 crop/labels scores/625000.json --all-classes --classes mito,er --ids "
      "3+4+5,16+17",
      {{"evaluate_classes"}}};
}

std::string choose_explanation() {
  return "SCORES are .json files that evaluate wrote, and folders that hold such files. Rows should name "
         "--setup,\n"
         "--iteration, --dataset and --crop, and may name --family and --raw-voxel-size-nm (see evaluate "
         "--help).\n"
         "OUT is a folder: scores.sqlite and scores.csv hold every score, choice.json and choice.txt the "
         "answers,\n"
         "with a .csv each; best.svg, families.svg, voxel_sizes.svg, comparisons.svg, iterations.svg are "
         "plots.\n\n"
         "Distances are in nm: a lower one is better. Ties go to the smaller iteration.\n\n"
         "  organon choose scores chosen_mfd --metric mean_false_distance_nm --until-stop true --stop-step "
         "25000";
}

constexpr char kPrepare[] = "Look at, bring in, prepare data";
constexpr char kLearn[] = "Learn";
constexpr char kObjects[] = "Objects";
constexpr char kQuality[] = "Quality";
constexpr char kAnalysis[] = "Analysis";
constexpr char kAtlas[] = "Atlas";

std::vector<StageVerb> make_stage_verbs() {
  using namespace organon::stages;
  return {
      {"phantom",
       kPrepare,
       "make a synthetic FIB-SEM cell with known truth",
       "phantom cell --shape 256,256,256 --voxel-size-nm 8 --seed 1 --contrast hela",
       {},
       {"OUT"},
       bound<PhantomOptions>,
       make_phantom_stage},
      {"import",
       kPrepare,
       "bring slices, or a volume of other programs, into an N5 or Zarr dataset",
       "import slices/ cell.n5/raw/s0 --voxel-size-nm 5",
       {"VOLUME"},
       {"OUT"},
       bound<ImportOptions>,
       make_import_stage,
       {},
       {},
       false,
       import_explanation()},
      {"convert",
       kPrepare,
       "a dataset or pyramid in another format, other chunks, another type, or a part of it",
       "convert https://host/cell.n5/raw cell.zarr/raw --chunk-shape 128 --codec zstd --box-nm "
       "0,0,0,4000,4000,4000",
       {"SOURCE"},
       {"OUT"},
       bound<ConvertOptions>,
       make_convert_stage,
       {},
       {},
       false,
       convert_explanation()},
      {"export",
       kPrepare,
       "write a dataset as TIFF slices, one BigTIFF or NRRD, for other programs",
       "export cell.n5/raw/s0 crop.tif --box-nm 0,0,0,2000,4000,4000",
       {"DATASET"},
       {"OUT"},
       bound<ExportOptions>,
       make_export_stage,
       {},
       {},
       false,
       "OUT is a file that ends in .tif or .tiff (BigTIFF, one page a slice) or .nrrd, or else a folder of "
       "TIFF\n"
       "slices. Voxel size and offset are kept in them, as ImageJ, Fiji and 3D Slicer read them. A folder "
       "that\n"
       "was left unfinished is gone on with; a file appears when it is whole. --box-nm cuts exactly the "
       "voxels\n"
       "whose centres lie in it."},
      {"pyramid",
       kPrepare,
       "add coarser levels s1, s2, ... to a group with s0",
       "pyramid cell.n5/raw/s0 cell.n5/raw",
       {"S0"},
       {"GROUP"},
       bound<PyramidOptions>,
       make_pyramid_stage},
      {"mask",
       kPrepare,
       "find the sample in empty resin, so that nothing else is predicted; POLYGONS (JSON) correct it",
       "mask cell.n5/raw polygons.json cell.n5/mask",
       {"RAW", "[POLYGONS]"},
       {"OUT"},
       bound<MaskOptions>,
       make_mask_stage,
       mask_text},
      {"targets",
       kLearn,
       "labels -> signed tanh boundary distances and where they count",
       "targets crop.n5/labels crop.n5/targets --classes mito,er --ids 3+4+5,16+17 --voxel-size-nm 8",
       {"LABELS..."},
       {"OUT"},
       bound<TargetsOptions>,
       make_targets_stage},
#ifdef ORGANON_WITH_NN
      {"samples",
       kLearn,
       "a picture of what train will see: raw, outlines and targets of its first samples",
       "samples crop.n5/raw crop.n5/targets samples.png --classes mito,er --num-samples 12",
       {"RAW_TARGETS..."},
       {"SHEET"},
       bound<SamplesOptions>,
       make_samples_stage,
       samples_text,
       {},
       false,
       samples_explanation()},
      {"train",
       kLearn,
       "train a 3-D U-Net on pairs of raw and targets; goes on where it was stopped",
       "train crop.n5/raw crop.n5/targets networks/mito --classes mito --steps 3000",
       {"RAW_TARGETS..."},
       {"NETWORK"},
       bound<TrainOptions>,
       make_train_stage,
       {},
       {},
       false,
       train_explanation()},
      {"predict",
       kLearn,
       "predict a volume with a trained network",
       "predict cell.n5/raw networks/mito cell.n5/predictions",
       {"RAW", "NETWORK", "[MASK]"},
       {"OUT"},
       bound<PredictOptions>,
       make_predict_stage,
       {},
       {},
       /*takes_device=*/true,
       "NETWORK is the folder of a training, one of its files, or a TorchScript module of another program "
       "(model.pt\n"
       "with model.json beside it: docs/formats/network.md); or another folder of networks, such as a "
       "training's\n"
       "checkpoints: their predictions are averaged."},
#endif
      {"segment",
       kObjects,
       "prediction -> objects: smooth, threshold, label, drop small ones",
       "segment cell.n5/predictions/mito cell.n5/labels/mito --sigma-nm 12 --threshold 127 "
       "--min-volume-nm3 2e7",
       {"PREDICTION"},
       {"OUT"},
       bound<SegmentOptions>,
       make_segment_stage,
       {},
       {segment_by_watershed()}},
      {"watershed",
       kObjects,
       "prediction -> fragments, one around each summit, and the graph of their interfaces",
       "watershed cell.n5/predictions/mito cell.n5/fragments/mito --sigma-nm 12 --threshold 127",
       {"PREDICTION"},
       {"OUT"},
       bound<WatershedOptions>,
       make_watershed_stage},
      {"agglomerate",
       kObjects,
       "fragments -> objects: merge across deep interfaces; another threshold takes seconds",
       "agglomerate cell.n5/fragments/mito cell.n5/labels/mito --quantile 25 --threshold 0.9",
       {"FRAGMENTS"},
       {"OUT"},
       bound<AgglomerateFragmentsOptions>,
       make_agglomerate_stage,
       cuts_text},
      {"refine",
       kObjects,
       "fill the holes of objects",
       "refine cell.n5/labels/mito cell.n5/refined/mito",
       {"LABELS"},
       {"OUT"},
       bound<RefineOptions>,
       make_refine_stage},
      {"restrict",
       kObjects,
       "what of a class lies inside or outside of others, expanded where asked",
       "restrict cell.n5/refined/er cell.n5/refined/nucleus cell.n5/refined/er_periph --keep outside "
       "--expand-nm 80",
       {"LABELS", "OTHERS..."},
       {"OUT"},
       bound<RestrictOptions>,
       make_restrict_stage},
      {"edit",
       kObjects,
       "replay an expert's edits: keep, drop, merge, split; drop small objects",
       "edit cell.n5/refined/mito edits/mito.json cell.n5/edited/mito",
       {"LABELS", "[EDITS]"},
       {"OUT"},
       bound<EditOptions>,
       make_edit_stage},
      {"evaluate",
       kQuality,
       "score a segmentation or prediction against truth",
       "evaluate cell.n5/refined/mito truth.n5/labels scores/mito.json --ids 3+4+5",
       {"SEGMENTATION", "TRUTH", "[MASK]"},
       {"OUT"},
       bound<EvaluateOptions>,
       make_evaluate_stage,
       scores_text,
       {evaluate_all_classes()},
       false,
       evaluate_explanation()},
      // The way --all-classes of evaluate: no heading, so that --help does not list it besides.
      {"evaluate_classes",
       "",
       "score the predictions of all classes of a network against truth",
       "evaluate_classes cell.n5/predictions truth.n5/labels scores.json --classes mito,er",
       {"SEGMENTATION", "VOLUMES..."},
       {"OUT"},
       bound<EvaluateClassesOptions>,
       make_evaluate_classes_stage,
       scores_text},
      {"choose",
       kQuality,
       "scores of many networks -> a store, and which network is best for which class",
       "choose scores chosen --metric f1",
       {"SCORES..."},
       {"OUT"},
       bound<ChooseOptions>,
       make_choose_stage,
       choice_text,
       {},
       false,
       choose_explanation()},
      {"measure",
       kAnalysis,
       "volume, surface, centroid and box of every object, as CSV, JSON and SQLite",
       "measure cell.n5/refined/mito tables/mito.csv",
       {"LABELS"},
       {"OUT"},
       bound<MeasureOptions>,
       make_measure_stage},
      {"distance",
       kAnalysis,
       "per voxel the distance to the end of its object, or the signed distance to all objects",
       "distance cell.n5/refined/mito cell.n5/distance/mito --signed true --bound-nm 500",
       {"LABELS"},
       {"OUT"},
       bound<DistanceMapOptions>,
       make_distance_stage},
      {"mesh",
       kAtlas,
       "a surface mesh of every object, in Neuroglancer's legacy format",
       "mesh cell.n5/refined/mito meshes/mito",
       {"LABELS"},
       {"OUT"},
       bound<MeshOptions>,
       make_mesh_stage},
      {"publish",
       kAtlas,
       "layers, meshes, tables and scores -> a folder with a page, to be served",
       "publish cell.n5/raw cell.n5/refined/mito tables/mito.json published --layers "
       "raw,segmentation/mito,table/mito",
       {"INPUTS..."},
       {"OUT"},
       publish_options,
       make_publish_stage},
  };
}

}  // namespace

const std::vector<StageVerb>& stage_verbs() {
  static const std::vector<StageVerb> verbs = make_stage_verbs();
  return verbs;
}

const StageVerb& stage_verb(const std::string& name) {
  std::vector<std::string> names;
  for (const StageVerb& verb : stage_verbs()) {
    if (verb.name == name) return verb;
    names.push_back(verb.name);
  }
  const std::string nearest = nearest_word(name, names);
  throw Error(ErrorKind::kInvalidArgument,
              nearest.empty() ? fmt::format("unknown verb '{}'", name)
                              : fmt::format("unknown verb '{}'; did you mean '{}'?", name, nearest));
}

std::unique_ptr<blockwise::Stage> make_stage(const blockwise::StageDescription& description) {
  return stage_verb(description.verb).make(description);
}

}  // namespace organon::app
