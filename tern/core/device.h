// SPDX-License-Identifier: MIT
// Device: where a tensor's bytes live and its ops run.
#pragma once

#include <cstdint>
#include <string>

namespace tern {

enum class DeviceKind : uint8_t { kCpu, kMock, kCuda, kVulkan };

struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  uint8_t index = 0;
  bool operator==(const Device&) const = default;
};

inline std::string DeviceName(Device device) {
  constexpr const char* kNames[] = {"cpu", "mock", "cuda", "vulkan"};
  return std::string(kNames[static_cast<int>(device.kind)]) + ":" + std::to_string(device.index);
}

}  // namespace tern
