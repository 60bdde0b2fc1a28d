#if Tools
import CurlewCore
import CurlewTransport
// Only this folder imports a C library.
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Makes writing to a pipe without a reader an error instead of ending the process.
func ignoreBrokenPipes() {
    signal(SIGPIPE, SIG_IGN)
}

/// The signal that asks a process to end.
let terminationSignal = SIGTERM

func exitProcess(_ code: Int32) -> Never {
    exit(code)
}

/// Ends the process immediately, without running exit handlers.
func abandonProcess(_ code: Int32) -> Never {
    _exit(code)
}

/// The arguments of this process, with their bytes kept (`String(keeping:)`). The first is the name by which it was
/// called.
var processArguments: [String] {
    (0..<Int(CommandLine.argc)).compactMap { index in
        CommandLine.unsafeArgv[index].map { String(keepingCString: $0) }
    }
}

/// The value of an environment variable, with its bytes kept; `nil` if it is unset or empty.
func environmentVariable(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(keepingCString: value)
    return text.isEmpty ? nil : text
}

/// The environment of this process, as `name=value` with the bytes kept.
var environmentVariables: [String] {
    var variables: [String] = []
    #if canImport(Darwin)
    guard var next = _NSGetEnviron().pointee else { return [] }
    #else
    var next = environ
    #endif
    while let variable = next.pointee {
        variables.append(String(keepingCString: variable))
        next += 1
    }
    return variables
}

/// The identifier of this process.
var processNumber: Int { Int(getpid()) }

/// The text of a small file, with its bytes kept; `nil` if there is no such file.
func textOfFile(_ path: String) throws(SystemError) -> String? {
    try bytesOfFile(path).map { String(keeping: $0) }
}

/// The content of a small file; `nil` if there is no such file.
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

/// The names of the entries of a folder, unsorted, with their bytes kept.
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
