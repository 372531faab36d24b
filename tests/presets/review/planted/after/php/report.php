<?php
function rows($db) {
    return $db->query("SELECT * FROM reports");
}

function one($db) {
    $id = $_GET['id'];
    return $db->query("SELECT * FROM reports WHERE id = " . $id);
}
