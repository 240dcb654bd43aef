// SPDX-License-Identifier: MIT
#include "tern/base/cpu_topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "tern/base/affinity.h"

namespace tern {
namespace {

// The first line of a file, empty if there is none.
std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<int64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  int64_t number = 0;
  if (!(file >> number)) return std::nullopt;
  return number;
}

// The first CPU of each core; all of them where the system does not tell their cores.
std::vector<int> FirstOfCores(const std::string& root, const std::vector<int>& cpus) {
  std::set<std::pair<int64_t, int64_t>> cores;
  std::vector<int> first;
  for (const int cpu : cpus) {
    const std::string topology = fmt::format("{}/sys/devices/system/cpu/cpu{}/topology", root, cpu);
    const std::optional<int64_t> core = ReadNumber(topology + "/core_id");
    if (!core) return cpus;
    const int64_t package = ReadNumber(topology + "/physical_package_id").value_or(0);
    if (cores.emplace(package, *core).second) first.push_back(cpu);
  }
  return first;
}

// "200000 100000" is two CPUs, "max 100000" no limit (0).
double QuotaOfVersion2(const std::string& directory) {
  std::istringstream line(FirstLine(directory + "/cpu.max"));
  double quota = 0;
  double period = 0;
  if (!(line >> quota >> period) || quota <= 0 || period <= 0) return 0;
  return quota / period;
}

double QuotaOfVersion1(const std::string& directory) {
  const int64_t quota = ReadNumber(directory + "/cpu.cfs_quota_us").value_or(0);
  const int64_t period = ReadNumber(directory + "/cpu.cfs_period_us").value_or(0);
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<double>(quota) / static_cast<double>(period);
}

double Least(double a, double b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// The least quota on the way from the group up to the mount point.
double QuotaOnPath(const std::string& mount, std::string group,
                   double (*quota_of)(const std::string&)) {
  double least = 0;
  while (true) {
    least = Least(least, quota_of(mount + group));
    const size_t slash = group.find_last_of('/');
    if (slash == std::string::npos) return least;
    group.resize(slash);
  }
}

// Lines of /proc/self/cgroup are "0::/group" (version 2) and "3:cpu,cpuacct:/group" (version 1).
double ReadQuota(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  double least = Least(QuotaOfVersion2(mount), QuotaOfVersion1(mount + "/cpu"));
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      least = Least(least, QuotaOnPath(mount, group, QuotaOfVersion2));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      least = Least(least, QuotaOnPath(mount + "/cpu", group, QuotaOfVersion1));
    }
  }
  return least;
}

// "48K", "2048K", "32M"
int64_t ParseCacheBytes(const std::string& text) {
  std::istringstream stream(text);
  int64_t number = 0;
  char unit = 0;
  if (!(stream >> number) || number < 0 || number > (int64_t{1} << 30)) return 0;
  if (!(stream >> unit)) return number;
  if (unit == 'K') return number << 10;
  if (unit == 'M') return number << 20;
  return 0;
}

void ReadCaches(const std::string& root, int cpu, CpuTopology* topology) {
  for (int index = 0; index < 16; ++index) {
    const std::string cache =
        fmt::format("{}/sys/devices/system/cpu/cpu{}/cache/index{}", root, cpu, index);
    const std::optional<int64_t> level = ReadNumber(cache + "/level");
    if (!level) return;
    if (FirstLine(cache + "/type") == "Instruction") continue;
    const int64_t bytes = ParseCacheBytes(FirstLine(cache + "/size"));
    if (*level == 1) topology->l1_data_bytes = bytes;
    if (*level == 2) topology->l2_bytes = bytes;
    if (*level == 3) topology->l3_bytes = bytes;
  }
}

}  // namespace

int CpuTopology::usable_cores() const {
  if (cpu_quota <= 0 || cpu_quota >= physical_cores) return physical_cores;
  return std::max(1, static_cast<int>(std::ceil(cpu_quota)));
}

CpuTopology CpuTopology::Read(const std::string& root, const std::vector<int>& cpus) {
  CpuTopology topology;
  if (!cpus.empty()) {
    topology.logical_cpus = static_cast<int>(cpus.size());
    topology.core_cpus = FirstOfCores(root, cpus);
    topology.physical_cores = static_cast<int>(topology.core_cpus.size());
    ReadCaches(root, cpus.front(), &topology);
  }
  topology.cpu_quota = ReadQuota(root);
  return topology;
}

CpuTopology CpuTopology::Detect() { return Read("", ThreadAffinity()); }

}  // namespace tern
