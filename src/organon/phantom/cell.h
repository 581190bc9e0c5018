#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "organon/phantom/lattice_noise.h"
#include "organon/phantom/solid.h"
#include "organon/tables/object_table.h"

namespace organon::phantom {

/// Kinds of objects that have instance labels.
enum class Organelle {
  kNucleus,
  kEr,
  kEres,  ///< exit site of the ER
  kMito,
  kGolgi,
  kVesicle,
  kEndo,
  kLysosome,
  kLd,
  kMicrotubule,
  kCentrosome,
  kRibosome
};
inline constexpr std::array<Organelle, 12> kOrganelles = {
    Organelle::kNucleus, Organelle::kEr,          Organelle::kEres,       Organelle::kMito,
    Organelle::kGolgi,   Organelle::kVesicle,     Organelle::kEndo,       Organelle::kLysosome,
    Organelle::kLd,      Organelle::kMicrotubule, Organelle::kCentrosome, Organelle::kRibosome};
/// "nucleus", "er", "eres", "mito", "golgi", "vesicle", "endo", "lysosome", "ld", "microtubule",
/// "centrosome", "ribosome".
std::string_view to_string(Organelle organelle);

/// Ids of the labels: those of the paper's annotations. Source: [heinrich2021cosem].
namespace ids {
inline constexpr std::uint8_t kEcs = 1, kPm = 2, kMitoMem = 3, kMitoLum = 4, kMitoRibo = 5, kGolgiMem = 6,
                              kGolgiLum = 7, kVesMem = 8, kVesLum = 9, kEndoMem = 10, kEndoLum = 11,
                              kLysoMem = 12, kLysoLum = 13, kLdMem = 14, kLdLum = 15, kErMem = 16,
                              kErLum = 17, kEresMem = 18, kEresLum = 19, kNeMem = 20, kNeLum = 21,
                              kNpOut = 22, kNpIn = 23, kHchrom = 24, kNhchrom = 25, kEchrom = 26,
                              kNechrom = 27, kNucpl = 28, kNucleo = 29, kMtOut = 30, kCent = 31,
                              kCentDapp = 32, kCentSdapp = 33, kRibo = 34, kCyto = 35, kMtIn = 36;
inline constexpr int kCount = 38;
}  // namespace ids

/// Thickness of membranes and walls, nm.
inline constexpr double kPmThickness = 10;
inline constexpr double kEnvelopeThickness = 52;  ///< both membranes and what lies between
inline constexpr double kErMembraneThickness = 10;
inline constexpr double kMitoMembraneThickness = 16;  ///< outer and inner boundary membrane
inline constexpr double kCristaThickness = 20;        ///< two membranes, back to back
inline constexpr double kMitoRibosomeRadius = 10;
inline constexpr double kGolgiMembraneThickness = 7;
inline constexpr double kVesicleMembraneThickness = 9;
inline constexpr double kEndoMembraneThickness = 9;
inline constexpr double kInnerVesicleMembraneThickness = 7;
inline constexpr double kLysosomeMembraneThickness = 10;
inline constexpr double kLdMembraneThickness = 8;
inline constexpr double kMicrotubuleRadius = 12.5;
inline constexpr double kMicrotubuleWallThickness = 5.5;
inline constexpr double kRibosomeRadius = 12.5;
inline constexpr double kCentrioleTubuleRadius = 11;
inline constexpr double kPoreRadius = 52;
inline constexpr double kPoreChannelRadius = 20;

/// The parts of a centrosome, in this order: tubules of mother and daughter centriole, three to a triplet and
/// nine triplets each, then distal and subdistal appendages, one to a triplet of the mother. None overlap.
inline constexpr std::uint32_t kNumTriplets = 9;
inline constexpr std::uint32_t kNumCentrioleTubules = 2 * 3 * kNumTriplets;

/// A named thing of the cell. Parts of one object may overlap; those of different objects never do, but for
/// the ER that grows out of the nucleus's envelope, and exit sites that grow out of the ER.
struct Object {
  ObjectId id = 0;  ///< its place in Cell::objects, plus 1: unique over all organelles
  Organelle organelle = Organelle::kVesicle;
  std::uint32_t first_part = 0;
  std::uint32_t num_parts = 0;
};

struct Part {
  Solid solid;
  BoxNm bounds;
  ObjectId object = 0;
};

/// A channel through the envelope: its middle, and the direction out of the nucleus.
struct Pore {
  PointNm centre_nm;
  PointNm axis;
};

/// Which parts come near a place: parts by cells of a cubic grid.
class PartIndex {
 public:
  /// Parts are found from up to `reach_nm` away.
  PartIndex(double cell_nm, double reach_nm) : cell_nm_(cell_nm), reach_nm_(reach_nm) {}

  double reach_nm() const { return reach_nm_; }
  void add(std::uint32_t part, const BoxNm& bounds);
  /// Candidates near `point`: no part within reach is missing.
  const std::vector<std::uint32_t>& near(const PointNm& point) const;
  /// Numbers of the candidates near `box`, ascending.
  std::vector<std::uint32_t> near(const BoxNm& box) const;

 private:
  std::int64_t cell_of(double coordinate) const;
  static std::uint64_t key(std::int64_t z, std::int64_t y, std::int64_t x);

  double cell_nm_;
  double reach_nm_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> cells_;
};

/// The made cell: shapes in nanometres, in the frame of the volume, whose first corner is (0, 0, 0).
struct Cell {
  Cell(const SizeNm& size_nm, std::uint64_t seed);

  /// Negative inside the cell; exact to first order near the plasma membrane.
  double body_distance_nm(const PointNm& point) const;
  /// What waves and ruffles add to the distance to `body`.
  double wave_at(const PointNm& point) const;
  double nucleus_distance_nm(const PointNm& point) const { return signed_distance_nm(nucleus, point); }
  const Object& object(ObjectId id) const { return objects[id - 1]; }
  /// Null where there is none.
  const Object* first_object(Organelle organelle) const;
  const Solid& first_solid(const Object& object) const { return parts[object.first_part].solid; }
  /// Every part whose bounds meet `box`, ascending.
  std::vector<std::uint32_t> parts_near(const BoxNm& box) const;

  BoxNm volume;
  std::uint64_t seed = 0;
  Solid body;
  double waves_nm = 0;  ///< how far the plasma membrane leaves the body's surface at most
  LatticeNoise waves;
  LatticeNoise ruffles;
  Solid nucleus;  ///< outer surface of the envelope
  std::vector<Pore> pores;
  std::vector<Solid> nucleoli;
  std::vector<Object> objects;
  std::vector<Part> parts;
  PartIndex index;
};

/// Places everything inside a volume of `size_nm`; the same for the same size and seed. Densities do not
/// depend on the size, the nucleus grows with it up to a radius of 3 um. Cost: about 0.3 s per 10^10 nm3.
/// Errors: kInvalidArgument for an extent below 200 nm.
Cell make_cell(const SizeNm& size_nm, std::uint64_t seed);

}  // namespace organon::phantom
