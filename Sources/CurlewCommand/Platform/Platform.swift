#if Tools
import CurlewCore
import CurlewTransport
// What the operating system gives, in one place: nothing else of the command names a C library.
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Has a write to a pipe that nobody reads return an error rather than end the process.
func ignoreBrokenPipes() {
    signal(SIGPIPE, SIG_IGN)
}

/// What asks a process to end.
let terminationSignal = SIGTERM

func exitProcess(_ code: Int32) -> Never {
    exit(code)
}

/// Ends at once, without finishing anything.
func abandonProcess(_ code: Int32) -> Never {
    _exit(code)
}

/// The arguments of this process, the name by which it was called first, with their bytes kept (`String(keeping:)`).
var processArguments: [String] {
    (0..<Int(CommandLine.argc)).compactMap { index in
        CommandLine.unsafeArgv[index].map { String(keepingCString: $0) }
    }
}

/// The value of a variable of the environment, with its bytes kept; `nil` where it is not set or empty.
func environmentVariable(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(keepingCString: value)
    return text.isEmpty ? nil : text
}

/// The variables of this process, each as `name=value` with its bytes kept.
var environmentVariables: [String] {
    var variables: [String] = []
    var next = environ
    while let variable = next.pointee {
        variables.append(String(keepingCString: variable))
        next += 1
    }
    return variables
}

/// The number of this process.
var processNumber: Int { Int(getpid()) }

/// The text of a small file, with its bytes kept; `nil` where there is none.
func textOfFile(_ path: String) throws(SystemError) -> String? {
    try bytesOfFile(path).map { String(keeping: $0) }
}

/// What is in a small file; `nil` where there is none.
func bytesOfFile(_ path: String) throws(SystemError) -> [UInt8]? {
    let descriptor: Descriptor
    do throws(SystemError) {
        descriptor = try Descriptor.open(path)
    } catch {
        if error.number == ENOENT || error.number == ENOTDIR { return nil }
        throw error
    }
    defer { descriptor.closeFile() }
    var bytes: [UInt8] = []
    while true {
        let more = try descriptor.readSome(65_536)
        if more.isEmpty { return bytes }
        bytes += more
    }
}

/// The names of what is in a folder, in no order, with their bytes kept.
func namesInFolder(_ path: String) throws(SystemError) -> [String] {
    guard let folder = path.withKeptCString({ opendir($0) }) else { throw .last }
    defer { closedir(folder) }
    var names: [String] = []
    while true {
        errno = 0
        guard let entry = readdir(folder) else {
            guard errno == 0 else { throw .last }
            return names
        }
        names.append(
            withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: name.pointee)) {
                    String(keepingCString: $0)
                }
            })
    }
}
#endif
