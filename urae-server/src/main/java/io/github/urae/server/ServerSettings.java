package io.github.urae.server;

import io.github.urae.InvalidRequestException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * What a {@link UraeServer} is told: where it listens, who may call it, where it keeps its files,
 * and what it refuses. Immutable.
 */
public final class ServerSettings {

  /** Where the server listens unless told otherwise. */
  public static final int DEFAULT_PORT = 7860;

  private final String address;
  private final int port;
  private final Path dataFolder;
  private final Optional<Database> database;
  private final Optional<String> apiKey;
  private final boolean open;
  private final Optional<Path> adapterFolder;
  private final Map<String, Path> bundledAdapters;
  private final List<String> allowedOrigins;
  private final List<String> allowedHosts;
  private final Optional<URI> publicUrl;
  private final int concurrency;
  private final int maxQueued;
  private final int maxSide;
  private final int maxSteps;
  private final int maxPromptLength;
  private final long maxUploadBytes;
  private final long maxUploadPixels;
  private final int keptJobs;
  private final OptionalLong memoryLimit;
  private final Duration patience;

  /**
   * A database elsewhere.
   *
   * @param url as JDBC has it, such as {@code jdbc:postgresql://host/name}
   * @param user empty where the URL tells it, or none is needed
   * @param password as for the user
   */
  public record Database(String url, Optional<String> user, Optional<String> password) {

    /** Returns the URL's beginning: the rest, and the password, are nobody's business. */
    @Override
    public String toString() {
      return url.replaceFirst("[?;].*", "");
    }
  }

  private ServerSettings(Builder builder) {
    address = builder.address;
    port = builder.port;
    dataFolder = builder.dataFolder;
    database = Optional.ofNullable(builder.database);
    apiKey = Optional.ofNullable(builder.apiKey);
    open = builder.open;
    adapterFolder = Optional.ofNullable(builder.adapterFolder);
    bundledAdapters = builder.bundledAdapters;
    allowedOrigins = builder.allowedOrigins;
    allowedHosts = builder.allowedHosts;
    publicUrl = Optional.ofNullable(builder.publicUrl);
    concurrency = builder.concurrency;
    maxQueued = builder.maxQueued;
    maxSide = builder.maxSide;
    maxSteps = builder.maxSteps;
    maxPromptLength = builder.maxPromptLength;
    maxUploadBytes = builder.maxUploadBytes;
    maxUploadPixels = builder.maxUploadPixels;
    keptJobs = builder.keptJobs;
    memoryLimit = builder.memoryLimit;
    patience = builder.patience;
    check();
  }

  private void check() {
    if (!isLoopback() && apiKey.isEmpty() && !open) {
      throw new InvalidRequestException(
          "address "
              + address
              + ": expected an API key, since others can reach it, found none: give one, or allow"
              + " everybody (--no-auth)");
    }
    if (apiKey.isPresent() && apiKey.get().length() < 16) {
      throw new InvalidRequestException(
          "API key: expected 16 characters or more, found " + apiKey.get().length());
    }
    if (apiKey.isPresent() && !apiKey.get().chars().allMatch(c -> c > ' ' && c < 0x7F)) {
      throw new InvalidRequestException(
          "API key: expected printable ASCII without spaces, which a header can hold");
    }
  }

  /**
   * Starts settings.
   *
   * @param dataFolder where pictures, and unless told otherwise the database, are kept; made if
   *     missing, of one server at a time
   * @return a builder: on loopback, port {@value #DEFAULT_PORT}, without a key
   */
  public static Builder builder(Path dataFolder) {
    return new Builder(dataFolder);
  }

  /**
   * Tells whether only this machine reaches the server.
   *
   * @return true for loopback addresses
   */
  public boolean isLoopback() {
    try {
      return InetAddress.getByName(address).isLoopbackAddress();
    } catch (UnknownHostException e) {
      throw new InvalidRequestException(
          "address: expected one of this machine's, found '" + address + "'", e);
    }
  }

  /**
   * Returns where the server listens.
   *
   * @return a name or number
   */
  public String address() {
    return address;
  }

  /**
   * Returns the port.
   *
   * @return 0 for a free one
   */
  public int port() {
    return port;
  }

  /**
   * Returns where everything is kept.
   *
   * @return a folder
   */
  public Path dataFolder() {
    return dataFolder;
  }

  /**
   * Returns the database of jobs.
   *
   * @return empty for one in the data folder
   */
  public Optional<Database> database() {
    return database;
  }

  /**
   * Returns what callers have to show.
   *
   * @return empty where nothing is asked for
   */
  public Optional<String> apiKey() {
    return apiKey;
  }

  /**
   * Returns where adapters that requests may name are.
   *
   * @return a folder of {@code .safetensors} files and folders; empty for none
   */
  public Optional<Path> adapterFolder() {
    return adapterFolder;
  }

  /**
   * Returns adapters that requests may name besides.
   *
   * @return files by name; immutable
   */
  public Map<String, Path> bundledAdapters() {
    return bundledAdapters;
  }

  /**
   * Returns whose pages may call the server.
   *
   * @return origins, such as {@code https://example.org}; immutable
   */
  public List<String> allowedOrigins() {
    return allowedOrigins;
  }

  /**
   * Returns names that the server may be called by, besides those of the address it listens at.
   *
   * @return host names without ports; immutable
   */
  public List<String> allowedHosts() {
    return allowedHosts;
  }

  /**
   * Returns what links to pictures begin with.
   *
   * @return empty for what the caller called
   */
  public Optional<URI> publicUrl() {
    return publicUrl;
  }

  /**
   * Returns how many jobs are drawn at once.
   *
   * @return at least 1
   */
  public int concurrency() {
    return concurrency;
  }

  /**
   * Returns how many jobs may wait.
   *
   * @return at least 1
   */
  public int maxQueued() {
    return maxQueued;
  }

  /**
   * Returns the longest side of a picture.
   *
   * @return pixels
   */
  public int maxSide() {
    return maxSide;
  }

  /**
   * Returns most denoising steps.
   *
   * @return at least 1
   */
  public int maxSteps() {
    return maxSteps;
  }

  /**
   * Returns the longest prompt.
   *
   * @return characters
   */
  public int maxPromptLength() {
    return maxPromptLength;
  }

  /**
   * Returns the largest upload.
   *
   * @return bytes of a request's body
   */
  public long maxUploadBytes() {
    return maxUploadBytes;
  }

  /**
   * Returns the largest picture that is decoded.
   *
   * @return pixels
   */
  public long maxUploadPixels() {
    return maxUploadPixels;
  }

  /**
   * Returns how many finished jobs are kept.
   *
   * @return at least 1; older ones are removed with their pictures
   */
  public int keptJobs() {
    return keptJobs;
  }

  /**
   * Returns the memory that plans are compared with.
   *
   * @return bytes; empty for what the machine has free
   */
  public OptionalLong memoryLimit() {
    return memoryLimit;
  }

  /**
   * Returns how long a request's body may take, besides a second for each 64 KiB, and how long a
   * caller may read nothing of an answer.
   *
   * @return positive
   */
  public Duration patience() {
    return patience;
  }

  /** Collects settings. Not thread-safe. */
  public static final class Builder {

    private final Path dataFolder;
    private String address = "127.0.0.1";
    private int port = DEFAULT_PORT;
    private Database database;
    private String apiKey;
    private boolean open;
    private Path adapterFolder;
    private Map<String, Path> bundledAdapters = Map.of();
    private List<String> allowedOrigins = List.of();
    private List<String> allowedHosts = List.of();
    private URI publicUrl;
    private int concurrency = 1;
    private int maxQueued = 64;
    private int maxSide = 4096;
    private int maxSteps = 200;
    private int maxPromptLength = 32_000;
    private long maxUploadBytes = 64L << 20;
    private long maxUploadPixels = 3L << 24;
    private int keptJobs = 1000;
    private OptionalLong memoryLimit = OptionalLong.empty();
    private Duration patience = Duration.ofSeconds(20);

    private Builder(Path dataFolder) {
      this.dataFolder = Objects.requireNonNull(dataFolder, "dataFolder");
    }

    /**
     * Sets where the server listens.
     *
     * @param value a name or number of this machine; others than loopback need a key, or {@link
     *     #open()}
     * @return this
     */
    public Builder address(String value) {
      address = Objects.requireNonNull(value, "address");
      return this;
    }

    /**
     * Sets the port.
     *
     * @param value 1 to 65535, or 0 for a free one
     * @return this
     */
    public Builder port(int value) {
      port = inRange("port", value, 0, 65_535);
      return this;
    }

    /**
     * Keeps jobs in another database than the data folder's.
     *
     * @param value PostgreSQL or H2
     * @return this
     */
    public Builder database(Database value) {
      database = Objects.requireNonNull(value, "database");
      return this;
    }

    /**
     * Asks callers for a key.
     *
     * @param value 16 characters or more
     * @return this
     */
    public Builder apiKey(String value) {
      apiKey = Objects.requireNonNull(value, "apiKey");
      return this;
    }

    /**
     * Lets everybody call who reaches the server.
     *
     * @return this
     */
    public Builder open() {
      open = true;
      return this;
    }

    /**
     * Sets where adapters are that requests may name.
     *
     * @param value a folder
     * @return this
     */
    public Builder adapterFolder(Path value) {
      adapterFolder = Objects.requireNonNull(value, "adapterFolder");
      return this;
    }

    /**
     * Sets adapters that requests may name besides those of the folder.
     *
     * @param value files by name; copied
     * @return this
     */
    public Builder bundledAdapters(Map<String, Path> value) {
      bundledAdapters = Map.copyOf(new TreeMap<>(value));
      return this;
    }

    /**
     * Lets pages of other servers call this one.
     *
     * @param value origins, such as {@code https://example.org}; copied
     * @return this
     */
    public Builder allowedOrigins(List<String> value) {
      allowedOrigins = List.copyOf(value);
      return this;
    }

    /**
     * Sets names that the server may be called by, behind a proxy for instance.
     *
     * @param value host names without ports; copied
     * @return this
     */
    public Builder allowedHosts(List<String> value) {
      allowedHosts = List.copyOf(value);
      return this;
    }

    /**
     * Sets what links to pictures begin with, behind a proxy for instance.
     *
     * @param value {@code http} or {@code https}, without a path
     * @return this
     * @throws InvalidRequestException if it is anything else
     */
    public Builder publicUrl(URI value) {
      boolean web = "http".equals(value.getScheme()) || "https".equals(value.getScheme());
      if (!web || value.getHost() == null || !value.getRawPath().matches("/?")) {
        throw new InvalidRequestException(
            "public URL: expected http://HOST or https://HOST, found '" + value + "'");
      }
      publicUrl = value;
      return this;
    }

    /**
     * Sets how many jobs are drawn at once.
     *
     * @param value 1 to 64
     * @return this
     */
    public Builder concurrency(int value) {
      concurrency = inRange("concurrency", value, 1, 64);
      return this;
    }

    /**
     * Sets how many jobs may wait.
     *
     * @param value 1 to 100,000
     * @return this
     */
    public Builder maxQueued(int value) {
      maxQueued = inRange("queue", value, 1, 100_000);
      return this;
    }

    /**
     * Sets the longest side of a picture.
     *
     * @param value 16 to 16,384 pixels
     * @return this
     */
    public Builder maxSide(int value) {
      maxSide = inRange("longest side", value, 16, 16_384);
      return this;
    }

    /**
     * Sets most denoising steps.
     *
     * @param value 1 to 10,000
     * @return this
     */
    public Builder maxSteps(int value) {
      maxSteps = inRange("steps", value, 1, 10_000);
      return this;
    }

    /**
     * Sets the longest prompt.
     *
     * @param value 1 to 100,000 characters
     * @return this
     */
    public Builder maxPromptLength(int value) {
      maxPromptLength = inRange("longest prompt", value, 1, 100_000);
      return this;
    }

    /**
     * Sets the largest upload.
     *
     * @param value 1024 to 2^28 bytes
     * @return this
     */
    public Builder maxUploadBytes(long value) {
      maxUploadBytes = inRange("largest upload", (int) Math.min(value, 1 << 29), 1024, 1 << 28);
      return this;
    }

    /**
     * Sets the largest picture that is decoded.
     *
     * @param value 1 to 178,956,970 pixels
     * @return this
     */
    public Builder maxUploadPixels(long value) {
      maxUploadPixels =
          inRange("pixels of an upload", (int) Math.min(value, 1 << 28), 1, 178_956_970);
      return this;
    }

    /**
     * Sets how many finished jobs are kept.
     *
     * @param value 1 to 1,000,000
     * @return this
     */
    public Builder keptJobs(int value) {
      keptJobs = inRange("kept jobs", value, 1, 1_000_000);
      return this;
    }

    /**
     * Sets the memory that plans are compared with; the pipeline's own limit is set where that is
     * built.
     *
     * @param bytes positive
     * @return this
     */
    public Builder memoryLimit(long bytes) {
      if (bytes <= 0) {
        throw new InvalidRequestException(
            "memory limit: expected a positive number, found " + bytes);
      }
      memoryLimit = OptionalLong.of(bytes);
      return this;
    }

    /**
     * Sets how long a request's body may take, besides a second for each 64 KiB, and how long a
     * caller may read nothing of an answer.
     *
     * @param value positive; 20 seconds by default
     * @return this
     */
    public Builder patience(Duration value) {
      if (value.isNegative() || value.isZero()) {
        throw new InvalidRequestException("patience: expected some time, found " + value);
      }
      patience = value;
      return this;
    }

    private static int inRange(String name, int value, int least, int most) {
      if (value < least || value > most) {
        throw new InvalidRequestException(
            name + ": expected " + least + " to " + most + ", found " + value);
      }
      return value;
    }

    /**
     * Completes the settings.
     *
     * @return the settings
     * @throws InvalidRequestException if others than this machine could call without a key
     */
    public ServerSettings build() {
      return new ServerSettings(this);
    }
  }
}
