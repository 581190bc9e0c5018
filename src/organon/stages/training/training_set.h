#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "organon/blockwise/stage.h"
#include "organon/nn/network_options.h"
#include "organon/stages/training/load_crop.h"
#include "organon/stages/training/train_network.h"

namespace organon::stages {

/// Raw and targets that are learned from, or on which the network is only scored.
struct TrainingPair {
  CropRequest request;
  bool is_validation = false;
};

/// What the inputs and options of a training ask for, before a voxel is read: all that its samples depend on.
struct TrainingSet {
  std::string verb;  ///< begins what errors say
  TrainOptions options;
  nn::NetworkOptions network;  ///< of the options, or of the network that it starts from
  std::string start_from;      ///< file of that network; empty: new weights
  std::vector<TrainingPair> pairs;
  Shape3 patch;                           ///< of raw, voxels
  Shape3 output;                          ///< of a patch, voxels of targets
  std::vector<std::size_t> balance_as;    ///< per class
  std::vector<std::size_t> rare_classes;  ///< numbers

  /// `description` gives verb and inputs: RAW, TARGETS, RAW, TARGETS, ..., and a network file where weights
  /// are to start from it. Errors: kInvalidArgument for classes, roles, contrast limits or patches that do
  /// not fit; those of Network::read_info().
  TrainingSet(const blockwise::StageDescription& description, const TrainOptions& train_options);

  /// How samples are drawn from crops whose raw has voxels of this size.
  SampleOptions sample_options(const SizeNm& voxel_size_nm) const;
};

/// Upper bounds.
struct CropsCost {
  std::int64_t bytes_read = 0;    ///< of decoded voxels
  std::int64_t bytes_loaded = 0;  ///< in memory once all are loaded
};

/// Opens one dataset of each pair. Errors: those of open_dataset().
CropsCost cost_of_crops(const TrainingSet& set);

struct LoadedCrops {
  std::vector<TrainingCrop> training;
  std::vector<TrainingCrop> validation;
  std::vector<std::string> notes;  ///< per pair
  SizeNm voxel_size_nm;            ///< of raw
};

/// Reads the crops of every pair into memory, in order. Errors: those of load_crop(); kInvalidArgument for
/// voxels that are not alike in all pairs, and where every pair is for validation; kCancelled.
LoadedCrops load_crops(const TrainingSet& set);

}  // namespace organon::stages
