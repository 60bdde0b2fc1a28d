import Curlew

@main
enum Consumer {
    static func main() {
        print("A program that imports Curlew, and needs nothing of its tools.")
    }
}
