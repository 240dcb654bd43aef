// SPDX-License-Identifier: MIT
// The machine at hand has one topology; the others are played by trees of small files.
#include "tern/base/cpu_topology.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tern/base/test_directory.h"

namespace tern {
namespace {

class CpuTopologyTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(root_.File(name)).parent_path());
    root_.Write(name, content + "\n");
  }
  void AddCpu(int cpu, int package, int core) const {
    std::string topology = "sys/devices/system/cpu/cpu";
    topology.append(std::to_string(cpu)).append("/topology/");
    Write(topology + "physical_package_id", std::to_string(package));
    Write(topology + "core_id", std::to_string(core));
  }
  CpuTopology Read(const std::vector<int>& cpus) const {
    return CpuTopology::Read(root_.path(), cpus);
  }

  TestDirectory root_;
};

TEST_F(CpuTopologyTest, ThisMachine) {
  const CpuTopology topology = CpuTopology::Detect();
  EXPECT_GE(topology.physical_cores, 1);
  EXPECT_LE(topology.physical_cores, topology.logical_cpus);
  EXPECT_GE(topology.usable_cores(), 1);
  EXPECT_LE(topology.usable_cores(), topology.physical_cores);
  EXPECT_GE(topology.cpu_quota, 0);
}

TEST_F(CpuTopologyTest, CountsCoresWithinTheMask) {
  for (int cpu = 0; cpu < 8; ++cpu)
    AddCpu(cpu, cpu / 4, cpu % 2);  // 2 packages, 2 cores, 2 threads
  EXPECT_EQ(Read({0, 1, 2, 3, 4, 5, 6, 7}).physical_cores, 4);
  EXPECT_EQ(Read({0, 1, 2, 3, 4, 5, 6, 7}).logical_cpus, 8);
  EXPECT_EQ(Read({0, 2}).physical_cores, 1);
  EXPECT_EQ(Read({0, 1, 4}).physical_cores, 3);
  EXPECT_EQ(Read({0, 1, 2, 3, 4, 5, 6, 7}).core_cpus, (std::vector<int>{0, 1, 4, 5}));
  EXPECT_EQ(Read({2, 3, 5, 7}).core_cpus, (std::vector<int>{2, 3, 5}));
}

TEST_F(CpuTopologyTest, WithoutTopologyEveryCpuIsACore) {
  EXPECT_EQ(Read({0, 1, 2}).physical_cores, 3);
  EXPECT_EQ(Read({0, 1, 2}).core_cpus, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(Read({}).core_cpus, std::vector<int>());
  EXPECT_EQ(Read({}).physical_cores, 1);
  EXPECT_EQ(Read({}).cpu_quota, 0);
}

TEST_F(CpuTopologyTest, QuotaOfVersion2IsTheLeastOnThePath) {
  for (int cpu = 0; cpu < 8; ++cpu) AddCpu(cpu, 0, cpu);
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7};
  Write("proc/self/cgroup", "0::/a/b");
  Write("sys/fs/cgroup/a/b/cpu.max", "max 100000");
  EXPECT_EQ(Read(all).cpu_quota, 0);
  EXPECT_EQ(Read(all).usable_cores(), 8);
  Write("sys/fs/cgroup/a/cpu.max", "250000 100000");
  EXPECT_EQ(Read(all).cpu_quota, 2.5);
  EXPECT_EQ(Read(all).usable_cores(), 3);
  Write("sys/fs/cgroup/a/b/cpu.max", "50000 100000");
  EXPECT_EQ(Read(all).usable_cores(), 1);
  Write("sys/fs/cgroup/a/b/cpu.max", "nonsense");
  EXPECT_EQ(Read(all).cpu_quota, 2.5);
}

TEST_F(CpuTopologyTest, QuotaInsideAContainerIsAtTheMountPoint) {
  Write("proc/self/cgroup", "0::/");
  Write("sys/fs/cgroup/cpu.max", "400000 200000");
  EXPECT_EQ(Read({0, 1, 2}).cpu_quota, 2);
  EXPECT_EQ(Read({0, 1, 2}).usable_cores(), 2);
}

TEST_F(CpuTopologyTest, QuotaOfVersion1) {
  Write("proc/self/cgroup", "9:cpuset:/x\n3:cpu,cpuacct:/g");
  Write("sys/fs/cgroup/cpu/g/cpu.cfs_quota_us", "-1");
  Write("sys/fs/cgroup/cpu/g/cpu.cfs_period_us", "100000");
  EXPECT_EQ(Read({0, 1}).cpu_quota, 0);
  Write("sys/fs/cgroup/cpu/g/cpu.cfs_quota_us", "100000");
  EXPECT_EQ(Read({0, 1}).cpu_quota, 1);
}

TEST_F(CpuTopologyTest, CacheSizes) {
  const auto add = [&](int index, const char* level, const char* type, const char* size) {
    std::string cache = "sys/devices/system/cpu/cpu5/cache/index";
    cache.append(std::to_string(index));
    Write(cache + "/level", level);
    Write(cache + "/type", type);
    Write(cache + "/size", size);
  };
  add(0, "1", "Data", "48K");
  add(1, "1", "Instruction", "32K");
  add(2, "2", "Unified", "2048K");
  add(3, "3", "Unified", "105M");
  const CpuTopology topology = Read({5, 6});
  EXPECT_EQ(topology.l1_data_bytes, 48 << 10);
  EXPECT_EQ(topology.l2_bytes, 2 << 20);
  EXPECT_EQ(topology.l3_bytes, 105 << 20);
}

}  // namespace
}  // namespace tern
