package io.github.urae.server.internal.http;

import io.github.urae.server.ServerSettings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Who may call: whoever shows the key, or a cookie that was given for it, or, for one picture, a
 * link that was made for it. Comparisons take as long whatever is compared. Thread-safe.
 */
final class Access {

  /** How long a link to a picture is good for, as long as OpenAI's. */
  static final Duration LINK_LIFE = Duration.ofHours(1);

  private static final int SECRET_BYTES = 32;

  private final Optional<String> key;
  private final SecretKeySpec secret;

  Access(ServerSettings settings) throws IOException {
    this.key = settings.apiKey();
    this.secret = new SecretKeySpec(secret(settings.dataFolder().resolve("secret")), "HmacSHA256");
  }

  /** Of this data folder, so that links outlive a restart. */
  private static byte[] secret(Path file) throws IOException {
    if (!Files.exists(file)) {
      byte[] secret = new byte[SECRET_BYTES];
      new SecureRandom().nextBytes(secret);
      Path temporary = Files.createTempFile(file.toAbsolutePath().getParent(), "secret", "");
      if (Files.getFileStore(temporary).supportsFileAttributeView("posix")) {
        Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rw-------"));
      }
      Files.write(temporary, secret);
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    }
    byte[] secret = Files.readAllBytes(file);
    if (secret.length != SECRET_BYTES) {
      throw new IOException(file + ": expected " + SECRET_BYTES + " bytes; delete it");
    }
    return secret;
  }

  /** Tells whether a key is asked for. */
  boolean isGuarded() {
    return key.isPresent();
  }

  boolean isKey(String shown) {
    return key.isPresent() && same(mac("key " + key.get()), mac("key " + shown));
  }

  /** Returns what a browser shows in place of the key. */
  String session() {
    return mac("session " + key.orElse(""));
  }

  boolean isSession(String shown) {
    return key.isPresent() && same(session(), shown);
  }

  /** Returns a query that opens a path for a while. */
  String signature(String path, Instant now) {
    long until = now.plus(LINK_LIFE).getEpochSecond();
    return "expires=" + until + "&signature=" + mac(until + " " + path);
  }

  boolean isSigned(String path, String expires, String signature, Instant now) {
    return expires != null
        && signature != null
        && expires.matches("\\d{1,12}")
        && Long.parseLong(expires) > now.getEpochSecond()
        && same(mac(expires + " " + path), signature);
  }

  private static boolean same(String expected, String shown) {
    return MessageDigest.isEqual(
        expected.getBytes(StandardCharsets.UTF_8), shown.getBytes(StandardCharsets.UTF_8));
  }

  private String mac(String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(secret);
      return Base64.getUrlEncoder()
          .withoutPadding()
          .encodeToString(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has HmacSHA256", e);
    }
  }
}
