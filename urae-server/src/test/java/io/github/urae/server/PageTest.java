package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;
import org.openqa.selenium.Dimension;
import org.openqa.selenium.Keys;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.StaleElementReferenceException;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeOptions;

/** The page, in a browser; what it looked like is kept under {@code target/screenshots}. */
class PageTest {

  private static final Path CHROMIUM = Path.of("/usr/bin/chromium");
  private static final Path DRIVER = Path.of("/usr/bin/chromedriver");
  private static final Path SCREENSHOTS = Path.of("target", "screenshots");
  private static final Duration PATIENCE = Duration.ofMinutes(5);

  private static RunningServer server;
  private static ChromeDriver browser;

  @BeforeAll
  static void start() throws IOException {
    assumeTrue(
        Files.isExecutable(CHROMIUM) && Files.isExecutable(DRIVER),
        "skipped: Debian's chromium and chromium-driver are not installed");
    server = RunningServer.start();
    ChromeOptions options = new ChromeOptions();
    options.setBinary(CHROMIUM.toFile());
    options.addArguments(
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1280,900");
    System.setProperty("webdriver.chrome.driver", DRIVER.toString());
    browser = new ChromeDriver(options);
    browser.manage().timeouts().scriptTimeout(PATIENCE);
    Files.createDirectories(SCREENSHOTS);
  }

  @AfterAll
  static void stop() throws IOException {
    if (browser != null) {
      browser.quit();
    }
    if (server != null) {
      server.close();
    }
  }

  @BeforeEach
  void open() {
    browser.get(server.url("/"));
    await(() -> find("model").getText().length() > 0 && isReady());
  }

  private static boolean isReady() {
    return "true".equals(run("return document.body.dataset.ready"));
  }

  private static WebElement find(String id) {
    return browser.findElement(By.id(id));
  }

  private static Object run(String script, Object... arguments) {
    return browser.executeScript(script, arguments);
  }

  private static void await(BooleanSupplier condition) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!holds(condition)) {
      assertThat(System.nanoTime())
          .as("status '%s', message '%s'", find("status").getText(), find("message").getText())
          .isLessThan(end);
    }
  }

  private static boolean holds(BooleanSupplier condition) {
    try {
      return condition.getAsBoolean();
    } catch (StaleElementReferenceException e) {
      return false; // The page has just changed it.
    }
  }

  private static void set(String id, String value) {
    find(id).clear();
    find(id).sendKeys(value);
  }

  private static void ask(String prompt, String side, String steps) {
    set("prompt", prompt);
    set("width", side);
    set("height", side);
    set("steps", steps);
  }

  private static void awaitStatus(String text) {
    await(() -> find("status").getText().equals(text));
  }

  private static void awaitTiles() {
    await(() -> "false".equals(find("viewer").getDomAttribute("aria-busy")));
  }

  private static void screenshot(String name) throws IOException {
    Files.write(SCREENSHOTS.resolve(name + ".png"), browser.getScreenshotAs(OutputType.BYTES));
  }

  @Test
  void aNewcomerDrawsAndWatches() throws IOException {
    // Watched as long as that takes, and not to its end.
    ask("a lighthouse on a cliff at sunset with clouds", "1024", "200");
    find("draw").click();
    await(() -> find("preview").isDisplayed());
    await(() -> find("stages").getText().matches("(?s).*: done.*denoising.* left.*"));
    assertThat(browser.findElements(By.cssSelector("#stages [aria-current]"))).hasSize(1);
    find("cancel").click();
    awaitStatus("Cancelled");

    ask("a lighthouse on a cliff at sunset with clouds", "128", "20");
    await(() -> find("plan").getText().contains("128x128"));
    assertThat(find("plan").getText()).contains("of memory");
    find("draw").click();
    awaitStatus("Done");
    assertThat(find("caption").getText()).contains("a lighthouse on a cliff", "128x128", "seed ");
    assertThat(find("seed").getDomProperty("value")).matches("\\d+");
    await(
        () ->
            find("plan").getText().contains("about")
                || find("plan").getText().contains("under a second"));
    awaitTiles();
    screenshot("drawn");

    // Again, with the same seed, to the last bit.
    String before = find("download").getDomAttribute("href");
    find("again").click();
    await(
        () ->
            find("status").getText().equals("Done")
                && !before.equals(find("download").getDomAttribute("href")));
    byte[] first = picture(before);
    assertThat(picture(find("download").getDomAttribute("href"))).isEqualTo(first);
  }

  private static byte[] picture(String path) {
    return server.send(server.request(path), HttpResponse.BodyHandlers.ofByteArray()).body();
  }

  @Test
  void drawingIsCancelledByButtonAndKey() {
    ask("the sea", "1024", "200");
    find("draw").click();
    await(() -> find("cancel").isDisplayed());
    find("cancel").click();
    awaitStatus("Cancelled");

    find("prompt").sendKeys(Keys.chord(Keys.CONTROL, Keys.ENTER));
    await(() -> find("cancel").isDisplayed());
    browser.switchTo().activeElement().sendKeys(Keys.ESCAPE);
    awaitStatus("Cancelled");
  }

  @Test
  void aLargePictureIsShownInTilesAndFoundAgain() throws IOException {
    // A draft of nine steps, and the last of them once more at full size.
    ask("desert dunes at sunset with the sun on the right", "1024", "9");
    set("seed", "3");
    find("keep-seed").click();
    find("coarse").click();
    find("draw").click();
    awaitStatus("Done");
    awaitTiles();
    screenshot("tiles");
    // In a small window half the size is enough, until somebody looks closer.
    Dimension before = browser.manage().window().getSize();
    browser.manage().window().setSize(new Dimension(700, 600));
    browser.navigate().refresh();
    await(() -> isReady() && !browser.findElements(By.cssSelector("#gallery li")).isEmpty());
    browser.findElement(By.cssSelector("#gallery button")).click();
    await(() -> tiles(9) > 0);
    assertThat(tiles(10)).isZero();
    WebElement focused = browser.switchTo().activeElement();
    assertThat(focused.getDomAttribute("aria-label")).contains("plus and minus zoom");
    focused.sendKeys("=".repeat(12));
    await(() -> tiles(10) > 0);
    assertThat(tiles(10)).isLessThan(16);
    find("zoom-full").click();
    browser.manage().window().setSize(before);
    assertThat(
            run(
                "return performance.getEntriesByType('resource')"
                    + ".filter(entry => /[0-9]\\.(png|jpg)$/.test(entry.name)"
                    + " && !/tiles_files|small/.test(entry.name)).length"))
        .as("whole pictures fetched")
        .isEqualTo(0L);

    browser.navigate().refresh();
    await(() -> isReady() && !browser.findElements(By.cssSelector("#gallery li")).isEmpty());
    WebElement newest = browser.findElement(By.cssSelector("#gallery button"));
    assertThat(newest.getText()).contains("desert dunes");
    newest.click();
    await(() -> find("result").isDisplayed());
    assertThat(find("caption").getText()).contains("1024x1024");
  }

  private static long tiles(int level) {
    return (Long)
        run(
            "return performance.getEntriesByType('resource').filter(entry =>"
                + " entry.name.includes('/tiles_files/' + arguments[0] + '/')).length",
            level);
  }

  @Test
  void aPromptIsTextAndNothingElse() {
    String prompt = "<img src=x onerror=\"document.title='changed'\"><b>sea</b>";
    ask(prompt, "32", "1");
    find("draw").click();
    awaitStatus("Done");
    assertThat(find("caption").getText()).contains(prompt);
    browser.navigate().refresh();
    await(() -> isReady() && !browser.findElements(By.cssSelector("#gallery li")).isEmpty());
    assertThat(browser.findElement(By.cssSelector("#gallery span")).getText()).startsWith("<img");
    assertThat(browser.getTitle()).isEqualTo("URAE");
    assertThat(browser.findElements(By.cssSelector("img[src=x], main b, #gallery b"))).isEmpty();
  }

  @Test
  void aPictureThatIsDroppedLoadsItsSettings() throws IOException {
    ask("boats <i>in a row</i>", "64", "3");
    set("seed", "77");
    find("keep-seed").click();
    find("draw").click();
    awaitStatus("Done");
    String path = find("download").getDomAttribute("href");
    browser.navigate().refresh();
    await(() -> isReady());
    drop("body", path);
    awaitStatus("Settings loaded");
    assertThat(find("prompt").getDomProperty("value")).isEqualTo("boats <i>in a row</i>");
    assertThat(find("seed").getDomProperty("value")).isEqualTo("77");
    assertThat(find("width").getDomProperty("value")).isEqualTo("64");
    assertThat(find("steps").getDomProperty("value")).isEqualTo("3");

    // Where nothing can be dropped, as on a phone, it is chosen.
    browser.navigate().refresh();
    await(() -> isReady());
    Path file = Files.write(server.data.resolve("chosen.png"), picture(path));
    find("settings-file").sendKeys(file.toString());
    awaitStatus("Settings loaded");
    assertThat(find("seed").getDomProperty("value")).isEqualTo("77");

    drop("#start", path);
    await(() -> find("start-picture").isDisplayed());
    find("draw").click();
    awaitStatus("Done");
    assertThat(server.get("/v1/jobs?limit=1").body()).contains("\"kind\":\"edit\"");
  }

  private static void drop(String selector, String path) {
    browser.executeAsyncScript(
        "const [selector, path, done] = arguments;"
            + "fetch(path).then(response => response.blob()).then(blob => {"
            + "  const data = new DataTransfer();"
            + "  data.items.add(new File([blob], 'a.png', {type: 'image/png'}));"
            + "  document.querySelector(selector).dispatchEvent("
            + "    new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: data}));"
            + "  done();"
            + "});",
        selector,
        path);
  }

  @Test
  void whatCannotBeDrawnIsToldAtItsField() {
    ask("the sea", "64", "2");
    run("document.getElementById('width').step = 1; document.getElementById('height').step = 1");
    set("width", "65");
    await(() -> find("plan").getText().contains("multiples of 16"));
    find("draw").click();
    await(() -> find("message").getText().contains("multiples of 16"));
    assertThat(find("width").getDomAttribute("aria-invalid")).isEqualTo("true");
  }

  @Test
  void everyFieldHasANameAndNothingLiesOutsideAPhone() throws IOException {
    assertThat(
            run(
                "return [...document.querySelectorAll('input, select, textarea, button')]"
                    + ".filter(field => !(field.labels && field.labels.length)"
                    + " && !field.getAttribute('aria-label') && !field.textContent.trim())"
                    + ".map(field => field.id).join()"))
        .isEqualTo("");
    Dimension before = browser.manage().window().getSize();
    browser.executeCdpCommand(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", 390, "height", 800, "deviceScaleFactor", 1, "mobile", true));
    browser.executeCdpCommand(
        "Emulation.setEmulatedMedia",
        Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", "dark"))));
    try {
      assertThat(run("return document.documentElement.scrollWidth <= 390")).isEqualTo(true);
      assertThat((String) run("return getComputedStyle(document.body).backgroundColor"))
          .isEqualTo("rgb(22, 23, 24)");
      screenshot("phone");
    } finally {
      browser.executeCdpCommand("Emulation.clearDeviceMetricsOverride", Map.of());
      browser.executeCdpCommand("Emulation.setEmulatedMedia", Map.of("features", List.of()));
      browser.manage().window().setSize(before);
    }
  }

  @Test
  void aServerThatIsStartedAnewGoesOnWithThePicture() throws IOException {
    RunningServer before = RunningServer.start();
    Path data = before.data;
    int port = before.port();
    int side = 128;
    while (!isEndedMeanwhile(before, side)) {
      // The picture was done before that: a larger one takes longer.
      side *= 2;
      assertThat(side).isLessThanOrEqualTo(1024);
      before = RunningServer.start(data, settings -> settings.port(port));
    }
    try (RunningServer after = RunningServer.start(data, settings -> settings.port(port))) {
      awaitStatus("Done");
      assertThat(after.get("/v1/jobs?limit=1").body()).contains("\"completed\"");
    }
  }

  /** Ends a server while a picture is drawn; tells whether it still was. */
  private static boolean isEndedMeanwhile(RunningServer drawing, int side) throws IOException {
    try {
      browser.get(drawing.url("/"));
      await(PageTest::isReady);
      ask("the sea", Integer.toString(side), "200");
      find("draw").click();
      await(() -> find("preview").isDisplayed() || find("status").getText().equals("Done"));
    } finally {
      drawing.close();
    }
    await(() -> find("status").getText().matches("The connection is lost.*|Done"));
    return !find("status").getText().equals("Done");
  }

  @Test
  void aKeyIsAskedFor() throws IOException {
    String key = "a-key-of-some-length";
    try (RunningServer guarded = RunningServer.start(settings -> settings.apiKey(key))) {
      browser.get(guarded.url("/"));
      await(() -> find("key").isDisplayed());
      find("key").sendKeys("another-key-of-that-length", Keys.ENTER);
      await(() -> find("sign-in-message").getText().contains("not this server's"));
      find("key").clear();
      find("key").sendKeys(key, Keys.ENTER);
      await(PageTest::isReady);
      ask("the sea", "32", "1");
      find("draw").click();
      awaitStatus("Done");
      awaitTiles();
    }
  }
}
