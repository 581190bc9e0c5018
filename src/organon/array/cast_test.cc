#include "organon/array/cast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "organon/base/error.h"

namespace organon {
namespace {

template <class T>
AnyArray row_of(const std::vector<T>& values) {
  AnyArray row(data_type_of<T>(), {1, 1, static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), row.view<T>().row(0, 0));
  return row;
}

// Values of every type at the limits of every other.
template <class T>
std::vector<T> probes() {
  std::vector<T> values;
  for (const int digits : {0, 7, 8, 15, 16, 24, 31, 32, 53, 63, 64}) {
    for (const double step : {-1.0, 0.0, 1.0}) {
      for (const double sign : {-1.0, 1.0}) {
        const double value = sign * (std::ldexp(1.0, digits) + step);
        if constexpr (std::is_floating_point_v<T>) {
          values.push_back(static_cast<T>(value + 0.25));
        } else if (value >= static_cast<double>(std::numeric_limits<T>::min()) &&
                   value < std::ldexp(1.0, std::numeric_limits<T>::digits)) {
          values.push_back(static_cast<T>(value));
        }
      }
    }
  }
  if constexpr (!std::is_floating_point_v<T>) {
    values.push_back(std::numeric_limits<T>::min());
    values.push_back(std::numeric_limits<T>::max());
  }
  return values;
}

// The twin: in long double, which holds all of 64 bits.
template <class From, class To>
void expect_as_twin(From value) {
  const auto exact = static_cast<long double>(value);
  long double wanted = exact;
  bool fits = true;
  if constexpr (std::is_floating_point_v<To>) {
    if constexpr (std::is_integral_v<From>) {
      const long double limit = std::ldexp(1.0L, std::numeric_limits<To>::digits);
      fits = std::fabs(exact) <= limit;
    }
  } else {
    wanted = std::nearbyint(exact);
    fits = wanted >= static_cast<long double>(std::numeric_limits<To>::min()) &&
           wanted <= static_cast<long double>(std::numeric_limits<To>::max());
  }
  const AnyArray row = row_of<From>({value});
  if (fits) {
    const AnyArray cast = cast_voxels(row, data_type_of<To>(), OutOfRange::kRefuse);
    EXPECT_EQ(cast.view<To>()(0, 0, 0), static_cast<To>(wanted)) << +value;
    return;
  }
  EXPECT_THROW(cast_voxels(row, data_type_of<To>(), OutOfRange::kRefuse), Error) << +value;
  if constexpr (!std::is_floating_point_v<To>) {
    const AnyArray clipped = cast_voxels(row, data_type_of<To>(), OutOfRange::kClip);
    EXPECT_EQ(clipped.view<To>()(0, 0, 0),
              wanted > 0 ? std::numeric_limits<To>::max() : std::numeric_limits<To>::min());
  }
}

TEST(Cast, EveryTypeToEveryOtherAtTheirLimits) {
  for (const DataType from : kDataTypes) {
    for (const DataType to : kDataTypes) {
      SCOPED_TRACE(std::string(to_string(from)) + " to " + std::string(to_string(to)));
      dispatch(from, [&](auto f) {
        for (const auto value : probes<decltype(f)>())
          dispatch(to, [&](auto t) { expect_as_twin<decltype(f), decltype(t)>(value); });
      });
    }
  }
}

TEST(Cast, NamesValueAndVoxel) {
  try {
    cast_voxels(row_of<std::uint16_t>({1, 2, 300}), DataType::kUint8, OutOfRange::kRefuse);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(error.message().find("0,0,2: 300 cannot be stored as uint8"), std::string::npos)
        << error.message();
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(cast_voxels(row_of<float>({nan}), DataType::kInt32, OutOfRange::kClip), Error);
  EXPECT_TRUE(std::isnan(
      cast_voxels(row_of<float>({nan}), DataType::kFloat64, OutOfRange::kRefuse).view<double>()(0, 0, 0)));
}

}  // namespace
}  // namespace organon
