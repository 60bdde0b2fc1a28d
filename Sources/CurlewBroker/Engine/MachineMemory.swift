import CurlewTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// How much memory this process may use: the machine's, or what a container or service manager leaves it (Linux control
/// groups).
enum MachineMemory {
    /// In bytes.
    static let available: Int = {
        let limits = Self.groupFiles(of: (try? Files.read("/proc/self/cgroup")) ?? []).compactMap { path in
            (try? Files.read(path)).flatMap(Self.limit)
        }
        return min(Self.physical, limits.min() ?? .max)
    }()

    private static var physical: Int {
        let (pages, size) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
        guard pages > 0, size > 0 else { return 1 << 30 }
        return Int(pages) * Int(size)
    }

    /// The files that may state a limit: of the process's control group and of all groups around it, in version 2 and
    /// version 1.
    ///
    /// - Parameter membership: The content of `/proc/self/cgroup`: lines of `number:controllers:path`.
    static func groupFiles(of membership: [UInt8]) -> [String] {
        String(decoding: membership, as: UTF8.self).split(separator: "\n").flatMap { line -> [String] in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return [] }
            let (root, name): (String, String)
            switch parts[1] {
            case "": (root, name) = ("/sys/fs/cgroup", "memory.max")
            case _ where parts[1].split(separator: ",").contains("memory"):
                (root, name) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            default: return []
            }
            var levels = parts[2].split(separator: "/")
            var files: [String] = []
            while true {
                files.append(([root] + levels.map(String.init) + [name]).joined(separator: "/"))
                guard levels.popLast() != nil else { return files }
            }
        }
    }

    /// The limit that such a file states, if it states any.
    static func limit(in content: [UInt8]) -> Int? {
        let digits = String(decoding: content, as: UTF8.self).prefix { $0.isASCII && $0.isNumber }
        // Beyond what an `Int` can hold, it is no limit, and neither is 0.
        return Int(digits).flatMap { $0 > 0 ? $0 : nil }
    }
}
