import Testing

@testable import CurlewBroker

@Suite("Machine memory")
struct MachineMemoryTests {
    private func files(_ membership: String) -> [String] { MachineMemory.groupFiles(of: Array(membership.utf8)) }

    @Test("With control groups version 2, every group that contains the process may set a limit")
    func unified() {
        #expect(
            self.files("0::/system.slice/curlew.service\n") == [
                "/sys/fs/cgroup/system.slice/curlew.service/memory.max", "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max",
            ])
        #expect(self.files("0::/\n") == ["/sys/fs/cgroup/memory.max"])
    }

    @Test("With control groups version 1, the memory controller's groups may set a limit")
    func legacy() {
        #expect(
            self.files("5:cpu,cpuacct:/a\n4:memory:/docker/1\n") == [
                "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ])
    }

    @Test(
        "Text that is not a control group file gives no limit files",
        arguments: ["", "\n", "nonsense", "1:name=systemd:/x", "a:b"])
    func nonsense(membership: String) { #expect(self.files(membership).isEmpty) }

    @Test(
        "A limit is a number of bytes",
        arguments: [
            ("1073741824\n", 1 << 30), ("max\n", nil), ("", nil), ("0\n", nil), ("99999999999999999999\n", nil),
        ] as [(String, Int?)])
    func limit(content: String, expected: Int?) { #expect(MachineMemory.limit(in: Array(content.utf8)) == expected) }

    @Test("The available memory is detected")
    func available() { #expect(MachineMemory.available > 1 << 20) }
}
