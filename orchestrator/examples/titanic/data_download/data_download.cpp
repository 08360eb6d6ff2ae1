// Downloads or copies one file: data_download URL_OR_PATH OUTPUT

#include <curl/curl.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace fs = std::filesystem;

static size_t append(char* data, size_t, size_t size, void* file) {
    auto& output = *static_cast<std::ofstream*>(file);
    return output.write(data, static_cast<std::streamsize>(size)) ? size : 0;
}

static void download(const std::string& url, const fs::path& path) {
    std::ofstream output(path, std::ios::binary);
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
    char reason[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
    // A server that says nothing for half a minute will not.
    curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, 30L);
    curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &output);
    if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
        throw std::runtime_error(url + ": " + (*reason ? reason : curl_easy_strerror(code)));
    }
    output.close();
    if (!output) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

int main(int count, char** words) try {
    if (count != 3) {
        std::cerr << "usage: data_download URL_OR_PATH OUTPUT\n";
        return 2;
    }
    const std::string source = words[1];
    const fs::path output = words[2], partial = output.string() + ".part";
    // The output appears when all of it is there.
    if (source.find("://") != std::string::npos || source.rfind("file:", 0) == 0) {
        download(source, partial);
    } else {
        fs::copy_file(source, partial, fs::copy_options::overwrite_existing);
    }
    fs::rename(partial, output);
    std::cout << fs::file_size(output) << " bytes\n";
} catch (const std::exception& error) {
    std::cerr << "data_download: " << error.what() << '\n';
    return 1;
}
