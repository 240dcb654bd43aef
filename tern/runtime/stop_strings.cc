// SPDX-License-Identifier: MIT
#include "tern/runtime/stop_strings.h"

#include <algorithm>
#include <utility>

#include "tern/base/error.h"
#include "tern/text/utf8.h"

namespace tern {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    if (stop.empty()) Fail(ErrorKind::kInvalidArgument, "a stop string is empty; leave it out");
    CheckUtf8(stop, "stop string");
  }
}

bool StopStrings::Push(std::string_view piece, std::string* out) {
  held_.append(piece);
  size_t begin = std::string::npos;
  size_t end = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at == std::string::npos) continue;
    if (at + stop.size() < end || (at + stop.size() == end && at < begin)) {
      begin = at;
      end = at + stop.size();
    }
  }
  const bool stopped = begin != std::string::npos;
  const size_t certain = stopped ? begin : held_.size() - HeldBytes();
  out->append(held_, 0, certain);
  held_.erase(0, stopped ? std::string::npos : certain);
  return stopped;
}

void StopStrings::Finish(std::string* out) {
  out->append(held_);
  held_.clear();
}

// The longest end of held_ that a stop string begins with.
size_t StopStrings::HeldBytes() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (size_t size = std::min(stop.size() - 1, held_.size()); size > longest; --size) {
      if (held_.ends_with(std::string_view(stop).substr(0, size))) longest = size;
    }
  }
  return longest;
}

}  // namespace tern
