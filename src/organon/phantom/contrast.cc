#include "organon/phantom/contrast.h"

#include "organon/base/error.h"

namespace organon::phantom {
namespace {

Contrast hela() {
  Contrast contrast;
  contrast.name = "hela";
  auto& s = contrast.stains;
  //                 grey spread fine middle coarse
  s[ids::kEcs] = {172, 0, 4, 4, 5};
  s[ids::kPm] = {58, 0, 8, 16, 6};
  s[ids::kMitoMem] = {70, 12, 8, 12, 4};
  s[ids::kMitoLum] = {138, 26, 13, 10, 6};
  s[ids::kMitoRibo] = {62, 12, 8, 6, 2};
  s[ids::kGolgiMem] = {52, 8, 8, 12, 4};
  s[ids::kGolgiLum] = {166, 10, 8, 8, 6};
  s[ids::kVesMem] = {66, 12, 8, 10, 4};
  s[ids::kVesLum] = {148, 34, 6, 6, 4};
  s[ids::kEndoMem] = {64, 8, 8, 10, 4};
  s[ids::kEndoLum] = {168, 14, 10, 12, 6};
  s[ids::kLysoMem] = {64, 8, 8, 8, 4};
  s[ids::kLysoLum] = {112, 36, 14, 30, 14};
  s[ids::kLdMem] = {96, 8, 4, 4, 4};
  s[ids::kLdLum] = {132, 44, 3, 3, 4};
  s[ids::kErMem] = {60, 0, 8, 14, 6};
  s[ids::kErLum] = {168, 0, 8, 8, 8};
  s[ids::kEresMem] = {56, 0, 8, 12, 6};
  s[ids::kEresLum] = {152, 0, 8, 8, 8};
  s[ids::kNeMem] = {60, 0, 8, 12, 4};
  s[ids::kNeLum] = {166, 0, 6, 8, 6};
  s[ids::kNpOut] = {84, 0, 8, 8, 2};
  s[ids::kNpIn] = {136, 0, 8, 8, 2};
  s[ids::kHchrom] = {94, 0, 28, 16, 8};
  s[ids::kNhchrom] = {92, 0, 28, 16, 8};
  s[ids::kEchrom] = {112, 0, 28, 16, 8};
  s[ids::kNechrom] = {108, 0, 28, 16, 8};
  s[ids::kNucpl] = {132, 0, 24, 16, 8};
  s[ids::kNucleo] = {88, 0, 26, 22, 8};
  s[ids::kMtOut] = {84, 0, 6, 6, 2};
  s[ids::kMtIn] = {146, 0, 4, 4, 2};
  s[ids::kCent] = {58, 0, 6, 6, 2};
  s[ids::kCentDapp] = {88, 0, 8, 6, 2};
  s[ids::kCentSdapp] = {80, 0, 8, 6, 2};
  s[ids::kRibo] = {46, 12, 6, 4, 2};
  s[ids::kCyto] = {152, 0, 24, 24, 26};
  return contrast;
}

void shift_all(Contrast& contrast, float factor, float shift) {
  for (Stain& stain : contrast.stains) {
    stain.grey = (stain.grey - 128) * factor + 128 + shift;
    stain.spread *= factor;
    stain.fine *= factor;
    stain.middle *= factor;
    stain.coarse *= factor;
  }
}

Contrast jurkat() {
  Contrast contrast = hela();
  contrast.name = "jurkat";
  auto& s = contrast.stains;
  s[ids::kCyto] = {141, 0, 26, 22, 24};
  s[ids::kErLum].grey = 158;
  s[ids::kEndoLum].grey = 164;
  s[ids::kMitoLum] = {134, 23, 13, 10, 6};
  s[ids::kNucpl].grey = 124;
  s[ids::kHchrom].grey = 88;
  s[ids::kNhchrom].grey = 88;
  shift_all(contrast, 0.85F, 8);
  contrast.read_noise = 7;
  contrast.shot_noise = 0.5F;
  contrast.curtains = 3;
  return contrast;
}

Contrast macrophage() {
  Contrast contrast = hela();
  contrast.name = "macrophage";
  auto& s = contrast.stains;
  s[ids::kMitoLum] = {142, 26, 12, 10, 6};
  s[ids::kErLum].grey = 172;
  s[ids::kCyto] = {156, 0, 22, 26, 26};
  s[ids::kLysoLum].grey = 100;
  s[ids::kGolgiLum].grey = 172;
  s[ids::kRibo].grey = 56;
  shift_all(contrast, 1.1F, -6);
  contrast.blur_yx_nm = 6;
  contrast.read_noise = 6;
  contrast.curtains = 6;
  contrast.drift = 5;
  return contrast;
}

Contrast sum159() {
  Contrast contrast = hela();
  contrast.name = "sum159";
  auto& s = contrast.stains;
  s[ids::kMitoLum] = {136, 26, 13, 10, 6};
  s[ids::kCyto] = {146, 0, 24, 24, 26};
  s[ids::kErLum].grey = 158;
  s[ids::kEndoLum].grey = 166;
  s[ids::kGolgiLum].grey = 156;
  shift_all(contrast, 0.75F, 18);
  contrast.read_noise = 4;
  contrast.shot_noise = 0.3F;
  contrast.blur_z_nm = 7;
  contrast.jitter = 2.5F;
  return contrast;
}

const std::vector<Contrast>& all() {
  static const std::vector<Contrast> kAll = {hela(), jurkat(), macrophage(), sum159()};
  return kAll;
}

}  // namespace

const std::vector<std::string>& contrast_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const Contrast& contrast : all()) names.emplace_back(contrast.name);
    return names;
  }();
  return kNames;
}

Contrast contrast_named(const std::string& name) {
  for (const Contrast& contrast : all()) {
    if (contrast.name == name) return contrast;
  }
  throw Error(ErrorKind::kInvalidArgument,
              "option contrast: expected hela, jurkat, macrophage or sum159, found '" + name + "'");
}

}  // namespace organon::phantom
