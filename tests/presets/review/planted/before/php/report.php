<?php
function rows($db) {
    return $db->query("SELECT * FROM reports");
}
